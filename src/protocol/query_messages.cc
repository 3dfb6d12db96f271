#include "protocol/query_messages.h"

#include "protocol/message_reader.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {

void append_query(byte_buffer& out, std::string_view sql) {
  message_writer{out, 'Q'}.text(sql);
}

void append_parse(byte_buffer& out, std::string_view statement, std::string_view sql,
                  std::span<const std::uint32_t> parameter_types) {
  message_writer writer{out, 'P'};
  writer.text(statement).text(sql).u16(static_cast<std::uint16_t>(parameter_types.size()));
  for (const std::uint32_t oid : parameter_types)
    writer.u32(oid);
}

void append_bind(byte_buffer& out, std::string_view portal, std::string_view statement,
                 std::span<const std::optional<std::string_view>> values) {
  message_writer writer{out, 'B'};
  writer.text(portal).text(statement);
  writer.u16(0);  // no format codes: all parameters are text
  writer.u16(static_cast<std::uint16_t>(values.size()));
  for (const auto& value : values) {
    writer.u32(value ? static_cast<std::uint32_t>(value->size()) : UINT32_MAX);
    if (value) writer.bytes(as_bytes(*value));
  }
  writer.u16(0);  // no format codes: all results are text
}

void append_describe(byte_buffer& out, describe_target target, std::string_view name) {
  message_writer{out, 'D'}.u8(static_cast<std::uint8_t>(target)).text(name);
}

void append_close(byte_buffer& out, describe_target target, std::string_view name) {
  message_writer{out, 'C'}.u8(static_cast<std::uint8_t>(target)).text(name);
}

void append_execute(byte_buffer& out, std::string_view portal, std::uint32_t row_limit) {
  message_writer{out, 'E'}.text(portal).u32(row_limit);
}

void append_sync(byte_buffer& out) {
  message_writer{out, 'S'};
}
void append_flush(byte_buffer& out) {
  message_writer{out, 'H'};
}
void append_terminate(byte_buffer& out) {
  message_writer{out, 'X'};
}

result<std::string_view> decode_query(byte_span body) {
  message_reader reader{body};
  const std::string_view sql = reader.text();
  if (!reader.complete()) return fail(violation(error_source::client, "malformed Query message"));
  return sql;
}

}  // namespace trunkline::protocol
