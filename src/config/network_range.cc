#include "config/network_range.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace trunkline::config {

namespace {

constexpr std::array<std::uint8_t, 12> v4_mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool bit_at(const ip_address& address, int index) {
  return ((address.bytes[static_cast<std::size_t>(index) / 8] >> (7 - index % 8)) & 1) != 0;
}

int width_bits(const ip_address& address) {
  return address.v6 ? 128 : 32;
}

}  // namespace

ip_address ip_address::from_bytes(const std::uint8_t* data, std::size_t size) {
  ip_address address;
  if (size == 4) {
    std::copy_n(data, 4, address.bytes.begin());
  } else if (size == 16 && std::equal(v4_mapped_prefix.begin(), v4_mapped_prefix.end(), data)) {
    std::copy_n(data + 12, 4, address.bytes.begin());
  } else if (size == 16) {
    address.v6 = true;
    std::copy_n(data, 16, address.bytes.begin());
  }
  return address;
}

std::optional<ip_address> ip_address::parse(std::string_view text) {
  const std::string terminated(text);
  if (terminated.size() != std::strlen(terminated.c_str())) return std::nullopt;
  std::array<std::uint8_t, 16> raw{};
  if (inet_pton(AF_INET, terminated.c_str(), raw.data()) == 1) return from_bytes(raw.data(), 4);
  if (inet_pton(AF_INET6, terminated.c_str(), raw.data()) == 1) return from_bytes(raw.data(), 16);
  return std::nullopt;
}

bool ip_address::is_loopback() const {
  if (!v6) return bytes[0] == 127;
  return bytes[15] == 1 &&
         std::all_of(bytes.begin(), bytes.begin() + 15, [](auto byte) { return byte == 0; });
}

std::string ip_address::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::optional<network_range> network_range::parse(std::string_view text) {
  const auto slash = text.find('/');
  const auto base = ip_address::parse(text.substr(0, slash));
  if (!base) return std::nullopt;
  network_range range{*base, width_bits(*base)};
  if (slash == std::string_view::npos) return range;
  const auto digits = text.substr(slash + 1);
  int bits = -1;
  const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (status != std::errc{} || end != digits.data() + digits.size() || digits.front() == '-')
    return std::nullopt;
  // "::ffff:10.0.0.0/104" counts the bits of the IPv6 form, but its base is kept as IPv4.
  if (!base->v6 && text.substr(0, slash).find(':') != std::string_view::npos) bits -= 96;
  if (bits < 0 || bits > width_bits(*base)) return std::nullopt;
  for (int i = bits; i < width_bits(*base); ++i) {
    if (bit_at(*base, i)) return std::nullopt;
  }
  range.prefix_bits = bits;
  return range;
}

bool network_range::contains(const ip_address& address) const {
  if (address.v6 != base.v6) return false;
  const auto whole = static_cast<std::ptrdiff_t>(prefix_bits / 8);
  if (!std::equal(base.bytes.begin(), base.bytes.begin() + whole, address.bytes.begin())) return false;
  const int rest = prefix_bits % 8;
  if (rest == 0) return true;
  const auto at = static_cast<std::size_t>(whole);
  return ((base.bytes[at] ^ address.bytes[at]) >> (8 - rest)) == 0;
}

bool network_range::contains(const network_range& other) const {
  return prefix_bits <= other.prefix_bits && contains(other.base);
}

std::string network_range::text() const {
  return fmt::format("{}/{}", base.text(), prefix_bits);
}

}  // namespace trunkline::config
