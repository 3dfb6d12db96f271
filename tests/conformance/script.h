// Random conversations of a client with PostgreSQL: legal ones as drivers hold them, and illegal ones. The
// same seed gives the same script. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/message_writer.h"

namespace trunkline::conformance {

/// What the client does when it has said a message.
enum class pause : std::uint8_t {
  none,   ///< the next message goes out with it
  write,  ///< it goes out, and the next one right behind
  settle  ///< it goes out, and nothing more before the server has answered
};

struct step {
  protocol::byte_buffer message;
  std::string value;  ///< what its rows must hold; empty: anything
  pause then = pause::none;

  char type() const { return static_cast<char>(message[0]); }
};

using script = std::vector<step>;

script random_script(std::uint64_t seed);

/// What the scripts expect to find in a session, and what makes a session as good as new.
extern const char* const session_setup;
extern const char* const session_cleanup;

}  // namespace trunkline::conformance
