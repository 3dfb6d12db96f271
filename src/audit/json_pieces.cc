#include "audit/json_pieces.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "audit/json_text.h"

namespace trunkline::audit {

namespace {

constexpr std::uint64_t million = 1'000'000;

constexpr auto digit_pairs = [] {
  std::array<char, 200> pairs{};
  for (std::size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

constexpr auto hex_pairs = [] {
  std::array<char, 512> pairs{};
  for (std::size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = hex_digits[i >> 4];
    pairs[2 * i + 1] = hex_digits[i & 15];
  }
  return pairs;
}();

}  // namespace

char* put_number(char* to, std::uint64_t number) {
  return std::to_chars(to, to + number_width, number).ptr;
}

char* put_micros(char* to, std::uint32_t micros) {
  std::memcpy(to, &digit_pairs[2 * (micros / 10'000 % 100)], 2);
  std::memcpy(to + 2, &digit_pairs[2 * (micros / 100 % 100)], 2);
  std::memcpy(to + 4, &digit_pairs[2 * (micros % 100)], 2);
  return to + 6;
}

char* put_seconds(char* to, std::chrono::nanoseconds value) {
  const auto micros = static_cast<std::uint64_t>(value.count() > 0 ? value.count() / 1'000 : 0);
  if (micros < million) {
    *to++ = '0';
  } else {
    to = put_number(to, micros / million);
  }
  const auto fraction = static_cast<std::uint32_t>(micros % million);
  if (fraction == 0) return to;
  *to++ = '.';
  to = put_micros(to, fraction);
  while (to[-1] == '0')
    --to;
  return to;
}

char* put_hex(char* to, byte_span bytes) {
  for (const std::byte each : bytes) {
    std::memcpy(to, &hex_pairs[2 * std::to_integer<std::size_t>(each)], 2);
    to += 2;
  }
  return to;
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, number_width> text;
  out.append(text.data(), put_number(text.data(), number));
}

void append_seconds(std::string& out, std::chrono::nanoseconds value) {
  std::array<char, seconds_width> text;
  out.append(text.data(), put_seconds(text.data(), value));
}

void append_seconds(std::string& out, double value) {
  constexpr double most = 9e9;  // in nanoseconds it still fits
  const double seconds = std::isfinite(value) ? std::min(std::max(value, 0.0), most) : 0.0;
  append_seconds(out, std::chrono::nanoseconds{std::llround(seconds * 1e9)});
}

void append_hex(std::string& out, byte_span bytes) {
  const std::size_t begin = out.size();
  out.resize(begin + 2 * bytes.size());
  put_hex(out.data() + begin, bytes);
}

void append_field(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  append_json_text(out, text);
}

void append_field(std::string& out, std::string_view name, std::uint64_t number) {
  out += ",\"";
  out += name;
  out += "\":";
  append_number(out, number);
}

}  // namespace trunkline::audit
