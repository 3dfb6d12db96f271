// The outcomes that the codec's readers share besides success: more bytes are needed, or the bytes are wrong.
// Value types; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "base/error.h"

namespace trunkline::protocol {

/// Success takes at least this many further bytes (1 or more). Ask again with fewer, too: an error may show
/// earlier.
struct need_more {
  std::size_t bytes = 1;
};

/// The bytes can never become valid. `why` says who sent them.
struct bad {
  error why;
};

/// A protocol violation (08P01) of that peer; its connection ends.
inline error violation(error_source who, std::string message) {
  return {who, error_reaction::close, sqlstates::protocol_violation, std::move(message)};
}

inline error malformed_answer(const char* what) {
  return violation(error_source::server, std::string{"malformed "} + what + " message");
}

}  // namespace trunkline::protocol
