// A conversation of the gateway's own with an upstream's primary: found, logged in, asked some statements,
// one after the other. For what happens seldom. Owner: one loop thread; destroying it says goodbye.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "net/channel.h"
#include "pool/search.h"
#include "pool/server_login.h"
#include "runtime/deadline.h"
#include "runtime/task.h"
#include "session/deployment.h"
#include "session/side_errand.h"

namespace trunkline::session {

struct talk_request {
  runtime::loop* where = nullptr;
  std::shared_ptr<const deployment> setup;
  std::size_t upstream = 0;  ///< into setup->settings->upstreams
  pool::server_secret as = {};
  std::string database = {};
  pool::loop_guard* guard = nullptr;
  pool::key_deriver keys = {};
  runtime::duration patience{};  ///< for all of it
};

class server_talk {
 public:
  using rows = std::vector<side_errand::row>;
  template <class T = void>
  using outcome = std::expected<T, error>;

  explicit server_talk(talk_request request);
  server_talk(const server_talk&) = delete;
  server_talk& operator=(const server_talk&) = delete;
  ~server_talk();

  /// Once, before anything else.
  static runtime::task<outcome<>> open(server_talk* self);
  /// The rows of all of its statements.
  static runtime::task<outcome<rows>> ask(server_talk* self, secret_text sql);
  /// Asks nothing for a while.
  static runtime::task<> rest(server_talk* self, runtime::duration time);
  bool is_open() const { return !server_.ended() && server_.connected(); }

 private:
  static void late(void* self);
  static runtime::task<std::expected<void, pool::login_failure>> log_in(server_talk* self,
                                                                        pool::found_server* found);
  static runtime::task<outcome<rows>> take_answer(server_talk* self);
  pool::search_request where() const;
  std::vector<std::byte> startup_packet() const;
  const config::upstream& upstream() const { return request_.setup->settings->upstreams[request_.upstream]; }
  pool::cluster* cluster() const { return request_.setup->clusters[request_.upstream].get(); }
  error broken() const;

  talk_request request_;
  runtime::signal changed_;
  net::channel server_;
  pool::search search_;
  pool::lease lease_;
  runtime::timer late_;
  bool too_late_ = false;
};

}  // namespace trunkline::session
