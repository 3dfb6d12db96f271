// What systemd (Type=notify) is told, where it asks to be: one datagram to $NOTIFY_SOCKET (sd_notify(3)). Any
// thread; never waits.
#pragma once

#include <string_view>

namespace trunkline::main {

/// For example "READY=1". Does nothing where nobody asks; an error is nobody's but the manager's.
void notify_manager(std::string_view state);

}  // namespace trunkline::main
