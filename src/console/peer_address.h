// "10.0.0.7:51234", "[::1]:5432" and paths, taken apart for PgBouncer's columns `addr` and `port`. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::console {

struct peer_address {
  std::string host;  ///< "unix" for a unix socket, empty where nothing is known
  std::uint16_t port = 0;
};

peer_address peer_address_of(std::string_view text);

}  // namespace trunkline::console
