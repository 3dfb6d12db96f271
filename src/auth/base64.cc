#include "auth/base64.h"

#include <array>
#include <cstdint>

namespace trunkline::auth {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t not_a_digit = 0xff;

constexpr std::array<std::uint8_t, 256> digit_values() {
  std::array<std::uint8_t, 256> values{};
  values.fill(not_a_digit);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}

constexpr std::array<std::uint8_t, 256> values = digit_values();

/// Decodes two to four digits into one to three bytes; false where a digit is none or spare bits are set.
bool decode_group(std::string_view digits, std::vector<std::byte>& out) {
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint8_t value = i < digits.size() ? values[static_cast<unsigned char>(digits[i])] : 0;
    if (value == not_a_digit) return false;
    bits = bits << 6 | value;
  }
  const std::size_t bytes = digits.size() - 1;
  for (std::size_t i = 0; i < bytes; ++i)
    out.push_back(static_cast<std::byte>(bits >> (16 - 8 * i)));
  const std::uint32_t spare_bits = (1U << (24 - 8 * bytes)) - 1;
  return (bits & spare_bits) == 0;
}

/// One to three bytes, the first one on top.
std::uint32_t bits_of(byte_span bytes) {
  std::uint32_t bits = 0;
  for (const std::byte each : bytes)
    bits = bits << 8 | std::to_integer<std::uint32_t>(each);
  return bits;
}

}  // namespace

std::string base64_encode(byte_span bytes) {
  std::string out((bytes.size() + 2) / 3 * 4, '=');
  char* to = out.data();
  for (; bytes.size() >= 3; bytes = bytes.subspan(3)) {
    const std::uint32_t bits = bits_of(bytes.first(3));
    for (unsigned shift : {18U, 12U, 6U, 0U})
      *to++ = alphabet[bits >> shift & 0x3f];
  }
  if (bytes.empty()) return out;
  const std::uint32_t bits = bits_of(bytes) << (bytes.size() == 1 ? 16 : 8);
  for (std::size_t i = 0; i <= bytes.size(); ++i)
    *to++ = alphabet[bits >> (18 - 6 * i) & 0x3f];
  return out;
}

std::optional<std::vector<std::byte>> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::vector<std::byte> out;
  out.reserve(text.size() / 4 * 3);
  while (!text.empty()) {
    std::string_view group = text.substr(0, 4);
    text.remove_prefix(4);
    if (text.empty() && group.ends_with('=')) group.remove_suffix(group[2] == '=' ? 2 : 1);
    if (!decode_group(group, out)) return std::nullopt;
  }
  return out;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  std::string usual(text);
  for (char& c : usual) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  usual.resize((usual.size() + 3) / 4 * 4, '=');
  const auto bytes = base64_decode(usual);
  if (!bytes) return std::nullopt;
  return std::string(as_text(*bytes));
}

}  // namespace trunkline::auth
