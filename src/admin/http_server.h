// An HTTP server for a few who look: one thread with a loop of its own for all connections, and one thread
// for each kind of answer that takes time. Shares nothing with the road but processor time. Bounded in
// connections, bytes, fields, waiting requests and time (limits.h, admin_*); a connection carries one
// request. When all places are taken, the oldest that has not yet sent its request makes room (or else the
// oldest of all), so that slow clients, whatever they are slow at, keep no health check out. Owner: main, on
// its control thread; docs/decisions/0012-admin-http.md says why it is not a library.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "admin/host_policy.h"
#include "admin/site.h"
#include "base/result.h"
#include "config/settings.h"
#include "runtime/unique_fd.h"

namespace trunkline::admin {

/// A socket that listens already.
struct open_admin_socket {
  runtime::unique_fd socket;
  config::address address;  ///< with the port that the kernel chose
};

/// Errors name the address and what is wrong.
result<open_admin_socket> open_admin(const config::address& where);

/// The same of a socket that another process opened for this address.
open_admin_socket adopt_admin(const config::address& where, runtime::unique_fd socket);

class http_server {
 public:
  /// `shown` outlives it.
  explicit http_server(site& shown);
  http_server(const http_server&) = delete;
  http_server& operator=(const http_server&) = delete;
  /// Cuts the connections and waits for the answers that are being made.
  ~http_server();

  /// From now on connections come from this socket; what was listened on before is closed.
  void listen(open_admin_socket where);
  /// Nothing is listened on any more; a socket's file stays, for the process that listens there now.
  void hand_over();

 private:
  class acceptor;
  class core;
  std::unique_ptr<core> core_;
};

}  // namespace trunkline::admin
