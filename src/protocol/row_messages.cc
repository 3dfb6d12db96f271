#include "protocol/row_messages.h"

#include "protocol/message_reader.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {
namespace {

// The least that one column takes, so that a lying count cannot claim memory.
constexpr std::size_t field_bytes_min = 19;
constexpr std::size_t value_bytes_min = 4;

}  // namespace

result<std::vector<field_description>> decode_row_description(byte_span body) {
  message_reader reader{body};
  const std::size_t count = reader.u16();
  if (!reader.ok() || count * field_bytes_min > reader.remaining())
    return fail(malformed_answer("RowDescription"));
  std::vector<field_description> fields(count);
  for (field_description& field : fields) {
    field.name = reader.text();
    field.table_oid = reader.u32();
    field.column = reader.u16();
    field.type_oid = reader.u32();
    field.type_size = static_cast<std::int16_t>(reader.u16());
    field.type_modifier = reader.u32();
    field.format = reader.u16();
  }
  if (!reader.complete()) return fail(malformed_answer("RowDescription"));
  return fields;
}

result<data_row> decode_data_row(byte_span body) {
  message_reader reader{body};
  const std::size_t count = reader.u16();
  if (!reader.ok() || count * value_bytes_min > reader.remaining()) return fail(malformed_answer("DataRow"));
  data_row values(count);
  for (auto& value : values) {
    const std::uint32_t size = reader.u32();
    if (size != UINT32_MAX) value = reader.bytes(size);
  }
  if (!reader.complete()) return fail(malformed_answer("DataRow"));
  return values;
}

result<std::string_view> decode_command_complete(byte_span body) {
  message_reader reader{body};
  const std::string_view tag = reader.text();
  if (!reader.complete()) return fail(malformed_answer("CommandComplete"));
  return tag;
}

}  // namespace trunkline::protocol
