// What a server says in answer to queries, written whole: for the console, which answers itself (PostgreSQL
// documentation, "Message Formats"). Text ends at its first NUL. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "protocol/message_writer.h"
#include "protocol/row_messages.h"

namespace trunkline::protocol {

/// 'T'. At most 65,535 fields (precondition).
void append_row_description(byte_buffer& out, std::span<const field_description> fields);
/// 'D'. At most 65,535 values (precondition); nullopt is NULL.
void append_data_row(byte_buffer& out, std::span<const std::optional<byte_span>> values);
/// 'C'.
void append_command_complete(byte_buffer& out, std::string_view tag);
/// 'E' with severity ERROR: this request is refused, the session goes on.
void append_refusal(byte_buffer& out, const error& why);
/// 'N' with severity NOTICE, SQLSTATE 00000.
void append_notice(byte_buffer& out, std::string_view message);
/// 't': the types of a statement's parameters, by OID.
void append_parameter_description(byte_buffer& out, std::span<const std::uint32_t> types);

void append_parse_complete(byte_buffer& out);
void append_bind_complete(byte_buffer& out);
void append_close_complete(byte_buffer& out);
void append_no_data(byte_buffer& out);
void append_portal_suspended(byte_buffer& out);
void append_empty_query_response(byte_buffer& out);

}  // namespace trunkline::protocol
