// One connection to the http_server and the request it carries: read, answer, write, end, each with a
// deadline. (internal to http_server.) Owner: the core; the core's loop thread.
#pragma once

#include <memory>
#include <string>

#include "admin/host_policy.h"
#include "admin/site.h"
#include "net/channel.h"
#include "runtime/deadline.h"
#include "runtime/task.h"
#include "runtime/work_pool.h"

namespace trunkline::admin {

/// Where a visit runs, and who makes its answers.
struct visit_context {
  runtime::loop& loop;
  site& shown;
  runtime::work_pool& brief;
  runtime::work_pool& patient;
};

class visit {
 public:
  visit(const visit_context& where, host_policy hosts, int socket);

  /// Once. `on_over` is called when it has ended; it must not destroy the visit there.
  void start(void (*on_over)(void*, visit*), void* context);
  /// Has not sent its whole request yet, or has its answer: nothing is lost when it is dropped.
  bool is_spare() const { return spare_; }

 private:
  runtime::task<> run();
  runtime::task<http_reading> read();
  runtime::task<http_response> answer(http_request request);
  runtime::task<> write(std::string text);
  static void done(void* self);

  visit_context where_;
  host_policy hosts_;
  runtime::signal changed_;
  net::channel peer_;
  runtime::deadline time_;
  bool spare_ = true;
  void (*on_over_)(void*, visit*) = nullptr;
  void* over_context_ = nullptr;
  runtime::task<> life_;
};

}  // namespace trunkline::admin
