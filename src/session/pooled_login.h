// A login on a route with pooling: the gateway authenticates the client itself and tells it what a server
// would, from what it knows of the pool; only where it does not know yet, or no connection is open, a server
// connection is borrowed for a moment (wire.md 6).
#pragma once

#include "session/login_context.h"
#include "session/pooled_server.h"

namespace trunkline::session {

/// Precondition: its route has a pool.
pooled_terms terms_of(const session_facts& facts, services& shared);

bool is_pooled(const login_context& context);

/// Up to the client's ReadyForQuery. `made` gets the server leg.
runtime::task<step<cancel_registry::ticket>> pooled_login(login_context* context, established* made);

}  // namespace trunkline::session
