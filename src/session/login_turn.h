// What a login owes to the login_guard: see there. A step of `login`.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Waits as long as earlier failures of this user and this source ask for; refuses where that is too long.
runtime::task<step<>> wait_for_turn(login_context* context);

/// Counts a login that ended because the client could not prove who it is; every other end is none of it.
void note_failure(const login_context& context, const login_end& why);

}  // namespace trunkline::session
