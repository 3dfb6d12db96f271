// What a server says between AuthenticationOk and the first query: NegotiateProtocolVersion, BackendKeyData,
// ParameterStatus, ReadyForQuery (PostgreSQL documentation, "Message Formats"). Bodies in, views out;
// `append_…` writes whole messages. Malformed bodies: 08P01, the server's fault. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/message_writer.h"
#include "protocol/startup_message.h"

namespace trunkline::protocol {

/// 'K'. Protocol 3.0 keys have 4 bytes, 3.2 keys limits::cancel_key_bytes_min..max.
struct backend_key_data {
  std::uint32_t pid = 0;
  byte_span key;
};
result<backend_key_data> decode_backend_key_data(byte_span body);
void append_backend_key_data(byte_buffer& out, std::uint32_t pid, byte_span key);

/// 'S' from the server.
struct parameter_status {
  std::string_view name;
  std::string_view value;
};
result<parameter_status> decode_parameter_status(byte_span body);
void append_parameter_status(byte_buffer& out, std::string_view name, std::string_view value);

/// 'Z': idle, in a transaction, in a failed one.
enum class transaction_status : char { idle = 'I', in_transaction = 'T', failed = 'E' };
result<transaction_status> decode_ready_for_query(byte_span body);
void append_ready_for_query(byte_buffer& out, transaction_status status);

/// 'v'. The documents speak of the newest minor version; servers write the whole version word, major 3
/// included.
struct negotiate_protocol_version {
  protocol_version newest;
  std::vector<std::string_view> unknown_options;  ///< `_pq_.` options that the server ignored
};
result<negotiate_protocol_version> decode_negotiate_protocol_version(byte_span body);
void append_negotiate_protocol_version(byte_buffer& out, protocol_version newest,
                                       std::span<const std::string_view> unknown_options);

}  // namespace trunkline::protocol
