// PROXY protocol, versions 1 (text) and 2 (binary): who really connected, told by a load balancer in front
// (HAProxy's proxy-protocol.txt). Whether a source may be believed is the caller's decision. Pure; any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

namespace trunkline::net {

enum class proxy_family : std::uint8_t { none, ipv4, ipv6 };

struct proxy_address {
  proxy_family family = proxy_family::none;
  std::array<std::byte, 16> bytes{};  ///< network order; IPv4 uses the first four
  std::uint16_t port = 0;             ///< host order
  bool operator==(const proxy_address&) const = default;
};

struct proxy_header {
  /// LOCAL or UNKNOWN, or a family that carries no IP address: the connection's own addresses hold, and
  /// `source` and `destination` are empty. Health checks of the load balancer look like this.
  bool local = true;
  proxy_address source;
  proxy_address destination;
  std::size_t consumed = 0;  ///< bytes of the header; the connection's own bytes follow
};

/// Success takes at least this many further bytes. Ask again with fewer, too: an error may show earlier.
struct proxy_need_more {
  std::size_t bytes = 1;
};
/// No header, or a malformed one: 08P01, the client's fault.
struct proxy_bad {
  error why;
};
using proxy_result = std::variant<proxy_need_more, proxy_header, proxy_bad>;

/// Enough for every header that `read_proxy_header` accepts (limits.h).
inline constexpr std::size_t proxy_header_bytes_max = limits::proxy_v2_header_bytes;

/// Reads either version; TLVs of version 2 are skipped. A mismatch is reported at the first byte that shows
/// it.
proxy_result read_proxy_header(byte_span bytes);

/// Appends a header for a TCP connection; `local`, or families that differ: LOCAL (v2), UNKNOWN (v1).
void append_proxy_v2(std::vector<std::byte>& out, const proxy_header& header);
void append_proxy_v1(std::vector<std::byte>& out, const proxy_header& header);

}  // namespace trunkline::net
