#include "audit/json_pieces.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "audit/json_text.h"

namespace trunkline::audit {
void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

void append_seconds(std::string& out, std::chrono::nanoseconds value) {
  const auto micros = static_cast<std::uint64_t>(value.count() > 0 ? value.count() / 1'000 : 0);
  if (micros == 0) {
    out += '0';
    return;
  }
  std::array<char, 28> text;
  char* end = std::to_chars(text.data(), text.data() + 20, micros / 1'000'000).ptr;
  *end++ = '.';
  std::uint64_t fraction = micros % 1'000'000;
  for (std::size_t i = 6; i-- > 0; fraction /= 10)
    end[i] = hex_digits[fraction % 10];
  end += 6;
  while (end[-1] == '0')
    --end;
  if (end[-1] == '.') --end;
  out.append(text.data(), end);
}

void append_seconds(std::string& out, double value) {
  constexpr double most = 9e9;  // in nanoseconds it still fits
  const double seconds = std::isfinite(value) ? std::min(std::max(value, 0.0), most) : 0.0;
  append_seconds(out, std::chrono::nanoseconds{std::llround(seconds * 1e9)});
}

void append_hex(std::string& out, byte_span bytes) {
  for (const std::byte each : bytes) {
    const auto value = static_cast<unsigned>(each);
    out += hex_digits[value >> 4];
    out += hex_digits[value & 15];
  }
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
