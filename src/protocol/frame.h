// One whole message (type byte, length word, body) at the start of the bytes: for the login phase, in which
// each message is held whole. Later the header walker skips bodies instead. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "base/bytes.h"
#include "base/limits.h"
#include "protocol/outcome.h"

namespace trunkline::protocol {

struct frame {
  char type = 0;
  byte_span body;        ///< a view into the input
  std::size_t size = 0;  ///< bytes that the whole message took: 5 + body
};

using frame_result = std::variant<need_more, frame, bad>;

/// `max_length` bounds the length word, which counts itself; `who` sent the bytes and gets the blame.
frame_result next_frame(byte_span bytes, std::uint32_t max_length, error_source who = error_source::client);

}  // namespace trunkline::protocol
