#include "audit/binary_values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <vector>

#include "protocol/message_reader.h"

namespace trunkline::audit {

namespace {

std::optional<std::string> integer(byte_span value, bool is_signed) {
  switch (value.size()) {
    case 2:
      return std::to_string(static_cast<std::int16_t>(load_u16(value.data())));
    case 4: {
      const std::uint32_t bits = load_u32(value.data());
      return is_signed ? std::to_string(static_cast<std::int32_t>(bits)) : std::to_string(bits);
    }
    case 8:
      return std::to_string(static_cast<std::int64_t>(load_big_endian<std::uint64_t>(value.data())));
    default:
      return {};
  }
}

template <class Real>
std::string real_text(Real value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  std::array<char, 64> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

std::optional<std::string> real(byte_span value) {
  if (value.size() == 4) return real_text(std::bit_cast<float>(load_u32(value.data())));
  if (value.size() == 8)
    return real_text(std::bit_cast<double>(load_big_endian<std::uint64_t>(value.data())));
  return {};
}

/// Digits of base 10,000; the first stands for 10,000 to the power of `weight`.
std::optional<std::string> numeric(byte_span value, std::size_t most) {
  protocol::message_reader reader(value);
  const std::uint16_t count = reader.u16();
  const auto weight = static_cast<std::int16_t>(reader.u16());
  const std::uint16_t sign = reader.u16();
  const std::uint16_t scale = reader.u16();
  if (!reader.ok() || reader.remaining() != 2U * count) return {};
  if (sign == 0xc000) return "NaN";
  if (sign == 0xd000) return "Infinity";
  if (sign == 0xf000) return "-Infinity";
  if ((sign != 0 && sign != 0x4000) || scale > 16'383) return {};
  if (static_cast<std::size_t>(std::max<int>(weight, 0)) * 4 + scale + 8 > most) return {};
  std::vector<std::uint16_t> digits(count);
  for (auto& each : digits)
    each = reader.u16();
  if (std::ranges::any_of(digits, [](std::uint16_t d) { return d > 9'999; })) return {};
  const auto digit = [&](int power) {
    const int index = weight - power;
    return index >= 0 && index < static_cast<int>(count) ? digits[static_cast<std::size_t>(index)]
                                                         : std::uint16_t{0};
  };
  std::string text = std::to_string(weight < 0 ? 0 : digit(weight));
  for (int power = weight - 1; power >= 0; --power)
    fmt::format_to(std::back_inserter(text), "{:04}", digit(power));
  if (scale > 0) {
    const std::size_t whole = text.size();
    text += '.';
    for (int power = -1; text.size() < whole + 1 + scale; --power)
      fmt::format_to(std::back_inserter(text), "{:04}", digit(power));
    text.resize(whole + 1 + scale);
  }
  return (sign == 0x4000 ? "-" : "") + text;
}

std::string hex(byte_span value) {
  std::string text;
  text.reserve(value.size() * 2);
  for (const std::byte each : value)
    fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned>(each));
  return text;
}

std::optional<std::string> uuid(byte_span value) {
  if (value.size() != 16) return {};
  std::string text = hex(value);
  for (const std::size_t place : {8U, 13U, 18U, 23U})
    text.insert(place, 1, '-');
  return text;
}

std::optional<std::string> mac(byte_span value) {
  if (value.size() != 6 && value.size() != 8) return {};
  std::string text = hex(value);
  for (std::size_t place = 2; place < text.size(); place += 3)
    text.insert(place, 1, ':');
  return text;
}

/// Family, bits, whether a cidr, length, address.
std::optional<std::string> network(byte_span value) {
  if (value.size() < 4) return {};
  const auto family = static_cast<unsigned>(value[0]);
  const auto bits = static_cast<unsigned>(value[1]);
  const bool cidr = value[2] != std::byte{0};
  const std::size_t size = family == 2 ? 4 : 16;
  if ((family != 2 && family != 3) || value.size() != 4 + size || bits > size * 8) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_ntop(family == 2 ? AF_INET : AF_INET6, value.data() + 4, text.data(), text.size()) == nullptr)
    return {};
  return cidr || bits < size * 8 ? fmt::format("{}/{}", text.data(), bits) : std::string(text.data());
}

std::optional<std::string> scalar(binary_form form, byte_span value, std::size_t most) {
  switch (form) {
    case binary_form::boolean:
      if (value.size() != 1) return {};
      return value[0] == std::byte{0} ? "f" : "t";
    case binary_form::integer:
      return integer(value, true);
    case binary_form::unsigned_integer:
      return integer(value, false);
    case binary_form::real:
      return real(value);
    case binary_form::numeric:
      return numeric(value, most);
    case binary_form::text:
      return std::string(as_text(value));
    case binary_form::bytes:
      return "\\x" + hex(value.first(std::min(value.size(), most)));
    case binary_form::uuid:
      return uuid(value);
    case binary_form::mac:
      return mac(value);
    case binary_form::network:
      return network(value);
    case binary_form::jsonb:
      if (value.empty() || value[0] != std::byte{1}) return {};
      return std::string(as_text(value.subspan(1)));
    case binary_form::unknown:
      return {};
    default:
      return read_date_or_time(form, value);
  }
}

bool needs_quotes(std::string_view element) {
  return element.empty() || element.find_first_of("{}\",\\ \t\r\n\f\v") != std::string_view::npos ||
         element == "NULL" || element == "null";
}

void append_element(std::string& out, std::string_view element) {
  if (!needs_quotes(element)) {
    out += element;
    return;
  }
  out += '"';
  for (const char each : element) {
    if (each == '"' || each == '\\') out += '\\';
    out += each;
  }
  out += '"';
}

/// array_send: dimensions, flags, element type, size and lower bound of each dimension, elements in row
/// order.
class array_reader {
 public:
  array_reader(byte_span value, binary_form form, std::size_t most)
      : reader_(value), form_(form), most_(most) {}

  std::optional<std::string> run() {
    const std::uint32_t dimensions = reader_.u32();
    reader_.u32();
    reader_.u32();
    if (!reader_.ok() || dimensions > 6) return {};
    for (std::uint32_t i = 0; i < dimensions; ++i) {
      sizes_.push_back(reader_.u32());
      reader_.u32();
    }
    if (!reader_.ok()) return {};
    if (dimensions == 0) return "{}";
    if (!dimension(0) || !reader_.complete()) return {};
    return std::move(out_);
  }

 private:
  bool dimension(std::size_t which) {
    out_ += '{';
    for (std::uint32_t i = 0; i < sizes_[which]; ++i) {
      if (i > 0) out_ += ',';
      if (!(which + 1 < sizes_.size() ? dimension(which + 1) : element())) return false;
      if (out_.size() > most_) return false;
    }
    out_ += '}';
    return true;
  }

  bool element() {
    const auto size = static_cast<std::int32_t>(reader_.u32());
    if (!reader_.ok()) return false;
    if (size == -1) {
      out_ += "NULL";
      return true;
    }
    if (size < 0) return false;
    const byte_span bytes = reader_.bytes(static_cast<std::size_t>(size));
    if (!reader_.ok()) return false;
    const auto text = scalar(form_, bytes, most_);
    if (!text) return false;
    append_element(out_, *text);
    return true;
  }

  protocol::message_reader reader_;
  binary_form form_;
  std::size_t most_;
  std::vector<std::uint32_t> sizes_;
  std::string out_;
};

}  // namespace

std::optional<std::string> read_binary_value(const pg_type& type, byte_span value, std::size_t most) {
  if (type.array) return array_reader(value, type.form, most).run();
  return scalar(type.form, value, most);
}

}  // namespace trunkline::audit
