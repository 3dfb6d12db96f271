// One attempt to add a connection to a pool: find a server, log in, see what it is. Owner: a shelf; one loop
// thread. Destroying it gives the attempt up.
#pragma once

#include <expected>
#include <memory>
#include <optional>

#include "pool/link.h"
#include "pool/link_source.h"
#include "pool/search.h"
#include "runtime/task.h"

namespace trunkline::pool {

class link_opening {
 public:
  using outcome = std::expected<std::unique_ptr<link>, connect_failure>;
  using callback = void (*)(void* context, link_opening& which, outcome result);

  link_opening(runtime::loop& where, std::shared_ptr<const link_source> from);
  /// `on_done` is called on the loop, never inside `start`; the opening may be disposed of then.
  void start(callback on_done, void* context);

 private:
  static runtime::task<outcome> run(link_opening* self);
  static runtime::task<std::expected<std::unique_ptr<link>, login_failure>> log_in(link_opening* self,
                                                                                   found_server* found);
  static runtime::task<std::expected<void, login_failure>> read_to_ready(link_opening* self, link* into);
  static runtime::task<std::expected<bool, login_failure>> ask_for_recovery(link_opening* self);
  bool role_must_be_asked() const;
  void leave(found_server found, const std::string& why, bool servers_fault);
  static void finished(void* self);

  runtime::loop& loop_;
  const std::shared_ptr<const link_source> from_;
  runtime::signal changed_;
  server_secret
      secret_;  ///< what it proves itself with: the one from before where the present one is refused
  net::channel server_;
  search search_;
  runtime::timer late_;
  runtime::deferred done_;
  runtime::task<outcome> task_;
  std::optional<bool> in_recovery_;
  callback on_done_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace trunkline::pool
