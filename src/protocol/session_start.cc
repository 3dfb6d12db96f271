#include "protocol/session_start.h"

#include "base/limits.h"
#include "protocol/message_reader.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {
result<backend_key_data> decode_backend_key_data(byte_span body) {
  message_reader reader{body};
  backend_key_data data;
  data.pid = reader.u32();
  data.key = reader.rest();
  if (!reader.ok() || data.key.size() < limits::cancel_key_bytes_min ||
      data.key.size() > limits::cancel_key_bytes_max) {
    return fail(malformed_answer("BackendKeyData"));
  }
  return data;
}

void append_backend_key_data(byte_buffer& out, std::uint32_t pid, byte_span key) {
  message_writer{out, 'K'}.u32(pid).bytes(key);
}

result<parameter_status> decode_parameter_status(byte_span body) {
  message_reader reader{body};
  parameter_status status;
  status.name = reader.text();
  status.value = reader.text();
  if (!reader.complete()) return fail(malformed_answer("ParameterStatus"));
  return status;
}

void append_parameter_status(byte_buffer& out, std::string_view name, std::string_view value) {
  message_writer{out, 'S'}.text(name).text(value);
}

result<transaction_status> decode_ready_for_query(byte_span body) {
  if (body.size() == 1) {
    switch (const char status = static_cast<char>(body[0])) {
      case 'I':
      case 'T':
      case 'E':
        return static_cast<transaction_status>(status);
      default:
        break;
    }
  }
  return fail(malformed_answer("ReadyForQuery"));
}

void append_ready_for_query(byte_buffer& out, transaction_status status) {
  message_writer{out, 'Z'}.u8(static_cast<std::uint8_t>(status));
}

result<negotiate_protocol_version> decode_negotiate_protocol_version(byte_span body) {
  message_reader reader{body};
  negotiate_protocol_version message;
  message.newest.major = reader.u16();
  message.newest.minor = reader.u16();
  const std::uint32_t count = reader.u32();
  // Every option takes at least its NUL, so that a lying count cannot claim memory.
  if (!reader.ok() || count > reader.remaining()) return fail(malformed_answer("NegotiateProtocolVersion"));
  message.unknown_options.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i)
    message.unknown_options.push_back(reader.text());
  if (!reader.complete()) return fail(malformed_answer("NegotiateProtocolVersion"));
  return message;
}

void append_negotiate_protocol_version(byte_buffer& out, protocol_version newest,
                                       std::span<const std::string_view> unknown_options) {
  message_writer writer{out, 'v'};
  writer.u16(newest.major).u16(newest.minor).u32(static_cast<std::uint32_t>(unknown_options.size()));
  for (const std::string_view option : unknown_options)
    writer.text(option);
}

}  // namespace trunkline::protocol
