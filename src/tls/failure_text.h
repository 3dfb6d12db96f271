// OpenSSL's error queue in words for a human. Private to this room.
#pragma once

#include <string>

namespace trunkline::tls {

/// Empties this thread's queue. `server`: our role, to name the other side.
std::string take_failure_text(bool server);

}  // namespace trunkline::tls
