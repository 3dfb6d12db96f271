// auth: scram | trust | cert | jwt | kubernetes. The gateway authenticates the client itself, then logs in to
// the server itself (wire.md 3): with `credentials`, with the client's password where the verifier file holds
// it, or with the ClientKey that the client's proof revealed.
#pragma once

#include "session/login_context.h"
#include "session/verifier_lookup.h"

namespace trunkline::session {

/// As the route asks. What the client has proved; access_facts::who says who it is, where the method tells
/// more than the user.
runtime::task<step<pool::server_secret>> prove_client(login_context* context);

/// Connects to the server once the client is authenticated. Returns at the first ReadyForQuery.
runtime::task<step<cancel_registry::ticket>> gateway_login(login_context* context);

/// SCRAM with the client, up to and with AuthenticationSASLFinal. The secret is what the gateway may then use
/// towards the server.
runtime::task<step<pool::server_secret>> authenticate_client(login_context* context, known_user user);

}  // namespace trunkline::session
