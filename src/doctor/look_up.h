// A host's name to its addresses, as a client would do it (getaddrinfo), off the loop.
#pragma once

#include <string>
#include <vector>

#include "doctor/examination.h"
#include "doctor/failure.h"
#include "net/socket_address.h"
#include "runtime/task.h"

namespace trunkline::doctor {

struct found_addresses {
  std::vector<net::socket_address> addresses;  ///< at least one
  microseconds took{0};
};

/// A failure: no_address, or timed_out after `patience`; whoever waits no longer leaves a look-up that hangs
/// to itself.
runtime::task<outcome<found_addresses>> look_up(examination* of, std::string host, std::uint16_t port,
                                                runtime::duration patience);

/// A literal, or the name of a unix socket: nothing is looked up.
bool needs_look_up(const client::server_address& server);

}  // namespace trunkline::doctor
