// What a session of transaction pooling listens to, through the connection that listens for its whole pool.
// Owner: a pooled session.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pool/listen_hub.h"

namespace trunkline::session {

struct listening {
  /// Something else runs there in the place of a LISTEN or UNLISTEN.
  struct portal {
    std::string name;
    std::string_view tag;  ///< what the client is to be told; a literal
  };

  std::shared_ptr<pool::listener_box> box;
  std::vector<std::string> channels;
  std::string awaited;           ///< the server is being asked to listen to it; empty: nothing is
  std::uint64_t ticket = 0;      ///< of the last question
  std::optional<error> refused;  ///< the answer to it
  std::vector<std::byte> mail;   ///< for the client, as soon as it can be told
  std::vector<portal> portals;   ///< of this transaction

  bool hears(const std::string& channel) const {
    return std::find(channels.begin(), channels.end(), channel) != channels.end();
  }
  /// Notifications that the client has not been told yet; empty: of every channel.
  void forget_mail(std::string_view channel);
  /// Another statement is bound there.
  void unbind(std::string_view name) {
    std::erase_if(portals, [&](const portal& each) { return each.name == name; });
  }
  /// Empty: it is none of these.
  std::string_view tag_of(std::string_view name) const {
    const auto at = std::ranges::find(portals, name, &portal::name);
    return at == portals.end() ? std::string_view() : at->tag;
  }
};

}  // namespace trunkline::session
