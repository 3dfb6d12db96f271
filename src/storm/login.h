// The client's part of a login: StartupMessage and whatever proof the server asks for, up to
// AuthenticationOk. Owner: one loop thread.
#pragma once

#include "storm/connection.h"

namespace trunkline::storm {

/// Over a connection that is reached and in the stage `auth`.
runtime::task<outcome<>> log_in(connection* over);

}  // namespace trunkline::storm
