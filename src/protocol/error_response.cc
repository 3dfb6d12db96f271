#include "protocol/error_response.h"

namespace trunkline::protocol {
namespace {

void append_field(message_writer& writer, char code, std::string_view value) {
  if (!value.empty()) writer.u8(static_cast<std::uint8_t>(code)).text(value);
}

}  // namespace

void append_error_response(byte_buffer& out, const error& why) {
  message_writer writer{out, 'E'};
  append_field(writer, 'S', "FATAL");
  append_field(writer, 'V', "FATAL");
  append_field(writer, 'C', why.code.view());
  append_field(writer, 'M', why.message.empty() ? std::string_view{"connection ended"} : why.message);
  append_field(writer, 'H', why.hint);
  append_field(writer, 'R', speaker);
  writer.u8(0);
}

byte_buffer error_response(const error& why) {
  byte_buffer out;
  append_error_response(out, why);
  return out;
}

}  // namespace trunkline::protocol
