// auth: scram | trust. The gateway authenticates the client itself, then logs in to the server itself
// (wire.md 3): with `credentials`, with the client's password where the verifier file holds it, or with the
// ClientKey that the client's proof revealed.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Connects to the server once the client is authenticated. Returns at the first ReadyForQuery.
runtime::task<step<cancel_registry::ticket>> gateway_login(login_context* context);

}  // namespace trunkline::session
