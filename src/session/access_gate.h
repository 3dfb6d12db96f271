// Where access policies meet a login (docs/access.md): once it is known who the client is, the first policy
// that fits decides, and where it wants an approval the login waits here. Without policies it does nothing.
// A step of `login`; one loop thread.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Asks the policies by what is known now, once, and notes the one that decides. The client, where it is
/// refused, hears one sentence, whatever the reason; log and audit have it.
step<> decide_access(login_context& context);

/// Somebody has approved: the session ends with the grant, or with the policy's hours before.
void note_grant(login_context& context, runtime::time_point end);

/// Precondition: the client has proved who it is. Also waits for an approval where one is needed.
runtime::task<step<>> admit(login_context* context);

/// What the policies of `setup` would say now to the client of a session that runs; nothing: there are none,
/// or its route is gone.
std::optional<access::decision> decide_again(const session_facts& facts, const deployment& setup);

}  // namespace trunkline::session
