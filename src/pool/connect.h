// A fresh connection to a Postgres server: resolve, connect, PROXY header, TLS (wire.md 1 and 2, server leg).
// Owner: one loop thread; the coroutine's caller owns everything that `connect_request` points to.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "net/channel.h"
#include "net/proxy_protocol.h"
#include "net/socket.h"
#include "runtime/task.h"
#include "runtime/work_pool.h"
#include "tls/client_context.h"
#include "tls/tls_stream.h"

namespace trunkline::pool {

struct connect_request {
  runtime::loop* where = nullptr;
  runtime::work_pool* work = nullptr;
  const config::upstream* upstream = nullptr;
  /// Built from the upstream's TLS settings; may be null where those say `disable`.
  const tls::client_context* tls = nullptr;
  net::socket_options options = {};
  /// The client, for the PROXY header; used where the upstream asks for one.
  net::proxy_header client = {};
  /// Passthrough: the client's own TLS goes through, the gateway adds none.
  bool plain = false;
};

/// How a server was reached; enough to reach the same one again with a CancelRequest.
struct server_place {
  std::size_t endpoint = 0;  ///< index into upstream::endpoints
  net::socket_address address;
};

struct connect_failure {
  error why;
  bool tls = false;  ///< the server was reached, but TLS failed
};

struct server_connection {
  server_place place;
  /// The TLS session, owned by the channel's stream; null on a plaintext leg.
  const tls::tls_stream* tls = nullptr;
};

/// Tries the endpoints in order, each with all its addresses, until one is connected and has finished TLS;
/// `into` then holds the stream. The deadline is the upstream's connectTimeout for each address. Errors:
/// 08001 or 08006 with what every attempt said.
runtime::task<std::expected<server_connection, connect_failure>> connect_server(connect_request request,
                                                                                net::channel* into);

/// The same to one known place, without resolving: for cancel requests.
runtime::task<std::expected<server_connection, connect_failure>> connect_place(connect_request request,
                                                                               server_place place,
                                                                               net::channel* into);

}  // namespace trunkline::pool
