// The one place that turns a trunkline::error into an ErrorResponse (severity FATAL, fields S V C M H R).
// PostgreSQL's own errors name a file, a line and a routine; these name the gateway as the routine, so that
// whoever reads one can tell who said it.
#pragma once

#include <string_view>

#include "base/error.h"
#include "protocol/message_writer.h"

namespace trunkline::protocol {

/// Field R of them.
inline constexpr std::string_view speaker = "trunkline";

/// Says goodbye: the sender closes the connection behind it. Pure; any thread.
void append_error_response(byte_buffer& out, const error& why);
byte_buffer error_response(const error& why);

}  // namespace trunkline::protocol
