#include "protocol/frame.h"

#include <fmt/format.h>

namespace trunkline::protocol {
namespace {

constexpr std::size_t header_bytes = 5;

std::string printable(char type) {
  if (type > ' ' && type < 0x7f) return fmt::format("'{}'", type);
  return fmt::format("0x{:02x}", static_cast<unsigned char>(type));
}

}  // namespace

frame_result next_frame(byte_span bytes, std::uint32_t max_length, error_source who) {
  if (bytes.size() < header_bytes) return need_more{header_bytes - bytes.size()};
  const char type = static_cast<char>(bytes[0]);
  const std::uint32_t length = load_u32(bytes.data() + 1);
  if (length < limits::message_length_min || length > max_length) {
    return bad{violation(who, fmt::format("invalid length {} of message {}: expected {} to {}", length,
                                          printable(type), limits::message_length_min, max_length))};
  }
  const std::size_t size = std::size_t{1} + length;
  if (bytes.size() < size) return need_more{size - bytes.size()};
  return frame{type, bytes.subspan(header_bytes, size - header_bytes), size};
}

}  // namespace trunkline::protocol
