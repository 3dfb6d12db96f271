// What a session of transaction pooling listens to, through the connection that listens for its whole pool.
// Owner: a pooled session.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pool/listen_hub.h"

namespace trunkline::session {

struct listening {
  std::shared_ptr<pool::listener_box> box;
  std::vector<std::string> channels;
  std::string awaited;           ///< the server is being asked to listen to it; empty: nothing is
  std::uint64_t ticket = 0;      ///< of the last question
  std::optional<error> refused;  ///< the answer to it
  std::vector<std::byte> mail;   ///< for the client, as soon as it can be told

  bool hears(const std::string& channel) const {
    return std::find(channels.begin(), channels.end(), channel) != channels.end();
  }
};

}  // namespace trunkline::session
