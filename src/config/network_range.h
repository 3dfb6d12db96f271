// IP addresses and CIDR ranges as plain values (RFC 4632, RFC 4291). Pure; any thread; no socket header
// needed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::config {

/// An IPv4 address uses the first 4 bytes. IPv4-mapped IPv6 (::ffff:a.b.c.d) is kept as IPv4, so that a
/// client of a dual-stack listener matches the range that a human wrote for it.
struct ip_address {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};

  /// Four or sixteen bytes in network order; any other size gives 0.0.0.0.
  static ip_address from_bytes(const std::uint8_t* data, std::size_t size);
  /// Text without brackets, zone or port: "10.0.0.1", "2001:db8::1".
  static std::optional<ip_address> parse(std::string_view text);

  bool is_loopback() const;
  std::string text() const;
  bool operator==(const ip_address&) const = default;
};

/// "10.0.0.0/8", "2001:db8::/32"; a bare address is a range of one. Bits behind the prefix are zero.
struct network_range {
  ip_address base;
  int prefix_bits = 0;

  /// Refuses bits behind the prefix ("10.1.2.3/8"): they are nearly always a mistake.
  static std::optional<network_range> parse(std::string_view text);

  bool contains(const ip_address& address) const;
  bool contains(const network_range& other) const;
  std::string text() const;
  bool operator==(const network_range&) const = default;
};

}  // namespace trunkline::config
