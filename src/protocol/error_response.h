// The one place that turns a trunkline::error into an ErrorResponse (severity FATAL, fields S V C M H).
#pragma once

#include "base/error.h"
#include "protocol/message_writer.h"

namespace trunkline::protocol {

/// Says goodbye: the sender closes the connection behind it. Pure; any thread.
void append_error_response(byte_buffer& out, const error& why);
byte_buffer error_response(const error& why);

}  // namespace trunkline::protocol
