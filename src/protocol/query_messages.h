// The client's messages of the simple and the extended protocol (PostgreSQL documentation, "Message
// Formats"). `append_…` writes whole messages. Text ends at its first NUL. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/message_writer.h"

namespace trunkline::protocol {

void append_query(byte_buffer& out, std::string_view sql);
/// `parameter_types` are OIDs; 0 or a missing one leaves the type to the server.
void append_parse(byte_buffer& out, std::string_view statement, std::string_view sql,
                  std::span<const std::uint32_t> parameter_types = {});
/// Values in text format, nullopt is NULL; results in text format. At most 65,535 values (precondition).
void append_bind(byte_buffer& out, std::string_view portal, std::string_view statement,
                 std::span<const std::optional<std::string_view>> values);
enum class describe_target : char { statement = 'S', portal = 'P' };
void append_describe(byte_buffer& out, describe_target target, std::string_view name);
void append_close(byte_buffer& out, describe_target target, std::string_view name);
/// `row_limit` 0: all rows.
void append_execute(byte_buffer& out, std::string_view portal, std::uint32_t row_limit = 0);
void append_sync(byte_buffer& out);
void append_flush(byte_buffer& out);
void append_terminate(byte_buffer& out);

/// Body of 'Q'. Malformed: 08P01, the client's fault.
result<std::string_view> decode_query(byte_span body);

}  // namespace trunkline::protocol
