// A name server's answer, taken apart (RFC 1035, 4.1; SRV: RFC 2782): bytes in, records out. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "net/socket_address.h"

namespace trunkline::net {

/// For what never changes. Short enough to be added to any clock's time without an overflow.
inline constexpr std::chrono::seconds dns_forever = std::chrono::years(100);

/// One server of a service (RFC 2782): the smallest priority comes first, weight is the share among equals.
struct dns_service {
  std::string host;  ///< a name without the final dot
  std::uint16_t port = 0;
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;

  bool operator==(const dns_service&) const = default;
};

struct dns_answer {
  std::vector<socket_address> addresses;   ///< of A and AAAA records; their port is 0
  std::vector<dns_service> services;       ///< of SRV records
  std::chrono::seconds ttl = dns_forever;  ///< the smallest, those of the CNAMEs on the way included

  bool empty() const { return addresses.empty() && services.empty(); }
};

/// The records of the name and type that the message's question has, behind CNAMEs in the order in which they
/// are to be followed. None are there: an empty answer. Nothing: not a whole message, or one that says
/// something went wrong. A record of which the target is "." says that there is no such service, and is left
/// out.
std::optional<dns_answer> read_dns_answer(byte_span message);

}  // namespace trunkline::net
