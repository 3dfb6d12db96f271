#include "net/proxy_protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace trunkline::net {
namespace {

constexpr std::string_view v1_prefix = "PROXY ";
constexpr std::string_view v2_signature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t v2_fixed = 16;  ///< signature, version and command, family, length
constexpr std::uint8_t v2_local = 0x20;
constexpr std::uint8_t v2_proxy = 0x21;
constexpr std::uint8_t v2_tcp4 = 0x11;
constexpr std::uint8_t v2_tcp6 = 0x21;

proxy_bad malformed(std::string why) {
  return {{error_source::client, error_reaction::close, sqlstates::protocol_violation,
           "invalid PROXY protocol header: " + std::move(why)}};
}

/// All of the bytes seen agree with `expected`.
bool begins_like(byte_span bytes, std::string_view expected) {
  return expected.starts_with(as_text(bytes.first(std::min(bytes.size(), expected.size()))));
}

// --- version 2

proxy_address load_address(proxy_family family, const std::byte* bytes, const std::byte* port) {
  proxy_address address;
  address.family = family;
  std::copy_n(bytes, family == proxy_family::ipv4 ? 4 : 16, address.bytes.begin());
  address.port = load_u16(port);
  return address;
}

proxy_result read_v2(byte_span bytes) {
  // The command can be judged before the rest is there.
  if (bytes.size() <= v2_signature.size()) return proxy_need_more{v2_fixed - bytes.size()};
  const auto command = static_cast<std::uint8_t>(bytes[12]);
  if (command != v2_local && command != v2_proxy) return malformed("unknown version or command");
  if (bytes.size() < v2_fixed) return proxy_need_more{v2_fixed - bytes.size()};

  const auto family = static_cast<std::uint8_t>(bytes[13]);
  const std::size_t size = load_u16(bytes.data() + 14);
  if (v2_fixed + size > limits::proxy_v2_header_bytes) return malformed("too long");
  const bool is_proxy = command == v2_proxy;
  const bool tcp4 = is_proxy && family == v2_tcp4;
  const bool tcp6 = is_proxy && family == v2_tcp6;
  if ((tcp4 && size < 12) || (tcp6 && size < 36)) return malformed("addresses are cut short");
  if (bytes.size() < v2_fixed + size) return proxy_need_more{v2_fixed + size - bytes.size()};

  proxy_header header;
  header.consumed = v2_fixed + size;
  header.local = !tcp4 && !tcp6;
  const std::byte* at = bytes.data() + v2_fixed;
  if (tcp4) {
    header.source = load_address(proxy_family::ipv4, at, at + 8);
    header.destination = load_address(proxy_family::ipv4, at + 4, at + 10);
  } else if (tcp6) {
    header.source = load_address(proxy_family::ipv6, at, at + 32);
    header.destination = load_address(proxy_family::ipv6, at + 16, at + 34);
  }
  return header;
}

// --- version 1

/// A decimal number without sign or leading zero, at most `max`.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned max) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  unsigned value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

/// The text up to the next `separator`, which is removed with it; all where there is none.
std::string_view next_word(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

bool parse_ipv4(std::string_view text, std::byte* out) {
  if (std::ranges::count(text, '.') != 3) return false;
  for (int i = 0; i < 4; ++i) {
    const auto part = parse_decimal(next_word(text, '.'), 255);
    if (!part) return false;
    out[i] = static_cast<std::byte>(*part);
  }
  return true;
}

/// One side of "::": groups of up to four hexadecimal digits; the last may be an IPv4 address. Answers the
/// bytes written, or nothing where the text is wrong or needs more than `room` bytes.
std::optional<std::size_t> parse_groups(std::string_view text, std::byte* out, std::size_t room) {
  std::size_t written = 0;
  while (!text.empty()) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.contains('.')) {
      if (written + 4 > room || !parse_ipv4(group, out + written)) return std::nullopt;
      return written + 4;
    }
    std::uint16_t value = 0;
    const auto [end, failure] = std::from_chars(group.data(), group.data() + group.size(), value, 16);
    if (group.empty() || group.size() > 4 || failure != std::errc{} || end != group.data() + group.size() ||
        written + 2 > room) {
      return std::nullopt;
    }
    store_u16(out + written, value);
    written += 2;
    if (colon == std::string_view::npos) break;
    text.remove_prefix(colon + 1);
    if (text.empty()) return std::nullopt;  // a lone colon at the end
  }
  return written;
}

bool parse_ipv6(std::string_view text, std::array<std::byte, 16>& out) {
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) return parse_groups(text, out.data(), 16) == std::size_t{16};
  if (text.substr(0, gap).contains('.')) return false;  // IPv4 only stands at the very end
  std::array<std::byte, 16> tail{};
  const auto before = parse_groups(text.substr(0, gap), out.data(), 16);
  const auto after = parse_groups(text.substr(gap + 2), tail.data(), 16);
  if (!before || !after || *before + *after > 14) return false;
  std::copy_n(tail.begin(), *after, out.end() - static_cast<std::ptrdiff_t>(*after));
  return true;
}

bool parse_address(std::string_view text, proxy_family family, proxy_address& out) {
  out.family = family;
  return family == proxy_family::ipv4 ? parse_ipv4(text, out.bytes.data()) : parse_ipv6(text, out.bytes);
}

bool parse_port(std::string_view text, proxy_address& out) {
  const auto port = parse_decimal(text, 65'535);
  out.port = static_cast<std::uint16_t>(port.value_or(0));
  return port.has_value();
}

/// `line` is what stands between "PROXY " and CR LF.
proxy_result parse_v1_line(std::string_view line, std::size_t consumed) {
  proxy_header header;
  header.consumed = consumed;
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return header;
  if (std::ranges::count(line, ' ') != 4) return malformed("expected a family, two addresses and two ports");
  const std::string_view name = next_word(line, ' ');
  if (name != "TCP4" && name != "TCP6") return malformed("unknown family");
  const proxy_family family = name == "TCP4" ? proxy_family::ipv4 : proxy_family::ipv6;
  header.local = false;
  if (!parse_address(next_word(line, ' '), family, header.source) ||
      !parse_address(next_word(line, ' '), family, header.destination)) {
    return malformed("invalid address");
  }
  if (!parse_port(next_word(line, ' '), header.source) ||
      !parse_port(next_word(line, ' '), header.destination)) {
    return malformed("invalid port");
  }
  return header;
}

proxy_result read_v1(byte_span bytes) {
  const std::string_view text = as_text(bytes.first(std::min(bytes.size(), limits::proxy_v1_header_bytes)));
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) {
    if (text.size() == limits::proxy_v1_header_bytes) return malformed("too long");
    return proxy_need_more{1};
  }
  if (end < v1_prefix.size() || text[end - 1] != '\r') return malformed("line does not end with CR LF");
  return parse_v1_line(text.substr(v1_prefix.size(), end - 1 - v1_prefix.size()), end + 1);
}

// --- writing

bool carries_addresses(const proxy_header& header) {
  return !header.local && header.source.family != proxy_family::none &&
         header.source.family == header.destination.family;
}

void append(std::vector<std::byte>& out, byte_span bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_u16(std::vector<std::byte>& out, std::size_t value) {
  out.push_back(static_cast<std::byte>(value >> 8));
  out.push_back(static_cast<std::byte>(value & 0xff));
}

/// IPv6 in full, without "::": as long as it is, every reader understands it.
std::string address_text(const proxy_address& address) {
  std::string text;
  if (address.family == proxy_family::ipv4) {
    for (std::size_t i = 0; i < 4; ++i) {
      text += fmt::format("{}{}", i == 0 ? "" : ".", static_cast<unsigned>(address.bytes[i]));
    }
    return text;
  }
  for (std::size_t i = 0; i < 16; i += 2) {
    text += fmt::format("{}{:x}", i == 0 ? "" : ":", load_u16(address.bytes.data() + i));
  }
  return text;
}

}  // namespace

proxy_result read_proxy_header(byte_span bytes) {
  if (bytes.empty()) return proxy_need_more{1};
  if (begins_like(bytes, v2_signature)) return read_v2(bytes);
  if (!begins_like(bytes, v1_prefix)) return malformed("missing");
  return read_v1(bytes);
}

void append_proxy_v2(std::vector<std::byte>& out, const proxy_header& header) {
  append(out, as_bytes(v2_signature));
  if (!carries_addresses(header)) {
    append(out, as_bytes(std::string_view{"\x20\0\0\0", 4}));
    return;
  }
  const bool v4 = header.source.family == proxy_family::ipv4;
  const std::size_t address_bytes = v4 ? 4 : 16;
  out.push_back(static_cast<std::byte>(v2_proxy));
  out.push_back(static_cast<std::byte>(v4 ? v2_tcp4 : v2_tcp6));
  append_u16(out, 2 * address_bytes + 4);
  append(out, byte_span{header.source.bytes}.first(address_bytes));
  append(out, byte_span{header.destination.bytes}.first(address_bytes));
  append_u16(out, header.source.port);
  append_u16(out, header.destination.port);
}

void append_proxy_v1(std::vector<std::byte>& out, const proxy_header& header) {
  if (!carries_addresses(header)) {
    append(out, as_bytes("PROXY UNKNOWN\r\n"));
    return;
  }
  append(out, as_bytes(fmt::format("PROXY {} {} {} {} {}\r\n",
                                   header.source.family == proxy_family::ipv4 ? "TCP4" : "TCP6",
                                   address_text(header.source), address_text(header.destination),
                                   header.source.port, header.destination.port)));
}

}  // namespace trunkline::net
