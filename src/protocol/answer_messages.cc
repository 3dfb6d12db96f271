#include "protocol/answer_messages.h"

namespace trunkline::protocol {
namespace {

void append_notice_field(message_writer& writer, char code, std::string_view value) {
  if (!value.empty()) writer.u8(static_cast<std::uint8_t>(code)).text(value);
}

void append_bare(byte_buffer& out, char type) {
  message_writer{out, type};
}

}  // namespace

void append_row_description(byte_buffer& out, std::span<const field_description> fields) {
  message_writer writer{out, 'T'};
  writer.u16(static_cast<std::uint16_t>(fields.size()));
  for (const field_description& each : fields) {
    writer.text(each.name).u32(each.table_oid).u16(each.column).u32(each.type_oid);
    writer.u16(static_cast<std::uint16_t>(each.type_size)).u32(each.type_modifier).u16(each.format);
  }
}

void append_data_row(byte_buffer& out, std::span<const std::optional<byte_span>> values) {
  message_writer writer{out, 'D'};
  writer.u16(static_cast<std::uint16_t>(values.size()));
  for (const auto& value : values) {
    writer.u32(value ? static_cast<std::uint32_t>(value->size()) : UINT32_MAX);
    if (value) writer.bytes(*value);
  }
}

void append_command_complete(byte_buffer& out, std::string_view tag) {
  message_writer{out, 'C'}.text(tag);
}

void append_refusal(byte_buffer& out, const error& why) {
  message_writer writer{out, 'E'};
  append_notice_field(writer, 'S', "ERROR");
  append_notice_field(writer, 'V', "ERROR");
  append_notice_field(writer, 'C', why.code.view());
  append_notice_field(writer, 'M', why.message.empty() ? std::string_view{"refused"} : why.message);
  append_notice_field(writer, 'H', why.hint);
  writer.u8(0);
}

void append_notice(byte_buffer& out, std::string_view message) {
  message_writer writer{out, 'N'};
  append_notice_field(writer, 'S', "NOTICE");
  append_notice_field(writer, 'V', "NOTICE");
  append_notice_field(writer, 'C', "00000");
  append_notice_field(writer, 'M', message.empty() ? std::string_view{"notice"} : message);
  writer.u8(0);
}

void append_parameter_description(byte_buffer& out, std::span<const std::uint32_t> types) {
  message_writer writer{out, 't'};
  writer.u16(static_cast<std::uint16_t>(types.size()));
  for (const std::uint32_t oid : types)
    writer.u32(oid);
}

void append_parse_complete(byte_buffer& out) {
  append_bare(out, '1');
}
void append_bind_complete(byte_buffer& out) {
  append_bare(out, '2');
}
void append_close_complete(byte_buffer& out) {
  append_bare(out, '3');
}
void append_no_data(byte_buffer& out) {
  append_bare(out, 'n');
}
void append_portal_suspended(byte_buffer& out) {
  append_bare(out, 's');
}
void append_empty_query_response(byte_buffer& out) {
  append_bare(out, 'I');
}

}  // namespace trunkline::protocol
