#include "protocol/extended_messages.h"

#include "protocol/message_reader.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {
namespace {

std::unexpected<error> malformed(const char* text) {
  return fail(violation(error_source::client, text));
}

}  // namespace

result<parse_message> decode_parse(byte_span body) {
  message_reader reader{body};
  parse_message made{.statement = reader.text(), .sql = reader.text(), .parameter_types = reader.u16()};
  reader.bytes(std::size_t{4} * made.parameter_types);
  if (!reader.complete()) return malformed("malformed Parse message");
  return made;
}

result<bind_message> decode_bind(byte_span body) {
  message_reader reader{body};
  bind_message made{.portal = reader.text(), .statement = reader.text()};
  const std::size_t parameter_formats = reader.u16();
  reader.bytes(2 * parameter_formats);
  made.parameters = reader.u16();
  for (std::uint16_t i = 0; i < made.parameters && reader.ok(); ++i) {
    const std::uint32_t size = reader.u32();
    if (size != UINT32_MAX) reader.bytes(size);
  }
  const std::uint16_t formats = reader.u16();
  for (std::uint16_t i = 0; i < formats && reader.ok(); ++i)
    made.result_formats.push_back(reader.u16());
  if (!reader.complete()) return malformed("malformed Bind message");
  return made;
}

result<target_message> decode_target(byte_span body) {
  message_reader reader{body};
  target_message made{.kind = static_cast<char>(reader.u8()), .name = reader.text()};
  if (!reader.complete() || (made.kind != 'S' && made.kind != 'P')) {
    return malformed("malformed Describe or Close message");
  }
  return made;
}

result<execute_message> decode_execute(byte_span body) {
  message_reader reader{body};
  execute_message made{.portal = reader.text(), .row_limit = reader.u32()};
  if (!reader.complete()) return malformed("malformed Execute message");
  return made;
}

}  // namespace trunkline::protocol
