// auth: jwt | kubernetes. The client's token comes in the place of a password, or by OAUTHBEARER (RFC 7628),
// and says who it is. A step of `login`.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Asks for the token and checks it; sets access_facts::who.
runtime::task<step<>> prove_by_token(login_context* context);

}  // namespace trunkline::session
