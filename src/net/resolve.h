// Names to addresses. It may wait for a resolver: never on a loop, always on the work pool.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/socket_address.h"

namespace trunkline::net {

/// All addresses of `host` (a DNS name or an IP literal) in the order of RFC 6724, at least one.
/// Errors are 08001 with reaction `retry`.
result<std::vector<socket_address>> resolve(const std::string& host, std::uint16_t port);

}  // namespace trunkline::net
