// auth: server. The server authenticates the client; the gateway passes the messages on and changes two
// things at most: it takes -PLUS out of the SASL mechanisms where the client leg has no TLS but the server
// leg does (wire.md 3), and puts its own cancel key in the place of the server's.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Precondition: `context->connection` is made. Returns at the first ReadyForQuery.
runtime::task<step<cancel_registry::ticket>> forward_login(login_context* context);

}  // namespace trunkline::session
