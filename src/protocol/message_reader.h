// Reads the fields of one message body in order. A read past the end yields zero or nothing and is
// remembered: a decoder reads all it wants and asks `ok()` once. One owner; views live as long as the body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace trunkline::protocol {

class message_reader {
 public:
  explicit message_reader(byte_span body) : rest_(body) {}

  std::uint8_t u8() { return take(1) ? static_cast<std::uint8_t>(*(rest_.data() - 1)) : std::uint8_t{0}; }
  std::uint16_t u16() { return take(2) ? load_u16(rest_.data() - 2) : std::uint16_t{0}; }
  std::uint32_t u32() { return take(4) ? load_u32(rest_.data() - 4) : 0; }
  byte_span bytes(std::size_t count) {
    return take(count) ? byte_span{rest_.data() - count, count} : byte_span{};
  }
  /// Up to the next NUL, which is consumed.
  std::string_view text() {
    const std::string_view all = as_text(rest_);
    const std::size_t end = all.find('\0');
    if (end == std::string_view::npos) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    rest_ = rest_.subspan(end + 1);
    return all.substr(0, end);
  }
  byte_span rest() {
    const byte_span all = rest_;
    rest_ = rest_.subspan(rest_.size());
    return all;
  }

  std::size_t remaining() const { return rest_.size(); }
  bool ok() const { return ok_; }
  /// Everything was there and nothing is left over.
  bool complete() const { return ok_ && rest_.empty(); }

 private:
  bool take(std::size_t count) {
    if (!ok_ || rest_.size() < count) {
      ok_ = false;
      rest_ = {};
      return false;
    }
    rest_ = rest_.subspan(count);
    return true;
  }

  byte_span rest_;
  bool ok_ = true;
};

}  // namespace trunkline::protocol
