// auth: cert. The certificate that the client has shown in its TLS handshake, which was verified there, says
// who it is. A step of `login`.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Sets access_facts::who.
step<> prove_by_certificate(login_context& context);

/// The client may not be the user that it asks for, or could not prove who it is: `reason` is for the log and
/// the audit, the client learns no more than that it failed.
login_end not_proved(const login_context& context, std::string reason);

/// The identity becomes the session's where it may be the user that it asks for.
step<> take_identity(login_context& context, std::shared_ptr<const auth::identity> who);

}  // namespace trunkline::session
