// Appends one message to a buffer: type byte, length word, body. The length is filled in when the writer
// ends. One owner; the buffer is borrowed for the writer's life.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace trunkline::protocol {

using byte_buffer = std::vector<std::byte>;

class message_writer {
 public:
  message_writer(byte_buffer& out, char type) : out_(out) {
    out_.push_back(static_cast<std::byte>(type));
    length_at_ = out_.size();
    u32(0);
  }
  /// The packets of the start-up phase have no type byte.
  explicit message_writer(byte_buffer& out) : out_(out), length_at_(out.size()) { u32(0); }
  message_writer(const message_writer&) = delete;
  message_writer& operator=(const message_writer&) = delete;
  ~message_writer() {
    store_u32(out_.data() + length_at_, static_cast<std::uint32_t>(out_.size() - length_at_));
  }

  message_writer& u8(std::uint8_t value) {
    out_.push_back(static_cast<std::byte>(value));
    return *this;
  }
  message_writer& u16(std::uint16_t value) {
    store_u16(grow(sizeof value), value);
    return *this;
  }
  message_writer& u32(std::uint32_t value) {
    store_u32(grow(sizeof value), value);
    return *this;
  }
  message_writer& bytes(byte_span value) {
    out_.insert(out_.end(), value.begin(), value.end());
    return *this;
  }
  /// NUL-terminated. Text ends at its first NUL, so that no value can smuggle a field of its own.
  message_writer& text(std::string_view value) {
    return bytes(as_bytes(value.substr(0, value.find('\0')))).u8(0);
  }

 private:
  std::byte* grow(std::size_t by) {
    out_.resize(out_.size() + by);
    return out_.data() + out_.size() - by;
  }

  byte_buffer& out_;
  std::size_t length_at_ = 0;
};

}  // namespace trunkline::protocol
