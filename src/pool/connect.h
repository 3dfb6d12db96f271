// A fresh connection to a known address of a Postgres server: connect, PROXY header, TLS (wire.md 1 and 2,
// server leg). Owner: one loop thread; the coroutine's caller owns everything that `connect_request` points
// to.
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
#include "pool/cluster.h"
#include "pool/interest.h"
#include "pool/loop_guard.h"
#include "runtime/task.h"
#include "tls/client_context.h"
#include "tls/tls_stream.h"

namespace trunkline::pool {

struct connect_request {
  runtime::loop* where = nullptr;
  const config::upstream* upstream = nullptr;
  /// Built from the upstream's TLS settings; may be null where those say `disable`.
  const tls::client_context* tls = nullptr;
  net::socket_options options = {};
  /// The client, for the PROXY header; used where the upstream asks for one.
  net::proxy_header client = {};
  /// Passthrough: the client's own TLS goes through, the gateway adds none.
  bool plain = false;
  /// Whom the connection is for; where it ends, so does the attempt. May be null.
  const net::channel* on_behalf_of = nullptr;
  /// The attempt also ends where the endpoint is found to be down meanwhile.
  interest at = {};
  /// Finds loops. May be null.
  loop_guard* guard = nullptr;
};

/// How a server was reached; enough to reach the same one again with a CancelRequest.
struct server_place {
  std::shared_ptr<const config::address>
      endpoint;  ///< as it is named; its host is what its certificate must have
  net::socket_address address;
};

struct connect_failure {
  enum class kind : std::uint8_t {
    unreachable,
    tls,          ///< the server was reached, but TLS failed
    unavailable,  ///< none of the servers that are known will do (57P03)
    crowded,      ///< the turn did not come in time (53300)
    abandoned,    ///< whom it was for is gone
    moved,        ///< its route leads elsewhere since a reload
  };
  error why;
  kind what = kind::unreachable;
};

struct server_connection {
  server_place place;
  /// The TLS session, owned by the channel's stream; null on a plaintext leg.
  const tls::tls_stream* tls = nullptr;
  loop_guard::watched guarded = {};  ///< until the login is over
};

/// Connects and finishes TLS, within `patience`; `into` then holds the stream. Errors: 08001 with what
/// happened.
runtime::task<std::expected<server_connection, connect_failure>> connect_place(connect_request request,
                                                                               server_place place,
                                                                               runtime::duration patience,
                                                                               net::channel* into);

}  // namespace trunkline::pool
