// The client leg's first bytes: PROXY header, SSLRequest, GSSENCRequest, direct TLS, CancelRequest,
// StartupMessage (wire.md 1). One step of `login`.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// On success either `context->startup` is filled, or `context->opaque` is set: the client's own TLS is to be
/// passed through to a route by SNI, and its bytes are unread in the channel. A CancelRequest is served here
/// and ends the login.
runtime::task<step<>> negotiate(login_context* context);

/// What a server that wants a PROXY header is told of the client.
net::proxy_header header_for_server(const login_context& context);

}  // namespace trunkline::session
