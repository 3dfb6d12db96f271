// Which route takes a connection: the first whose every condition fits (docs/configuration.md, routes.match).
// A pure decision over an immutable snapshot: no allocation, any thread; linear in the number of patterns.
#pragma once

#include <optional>
#include <string_view>

#include "config/network_range.h"
#include "config/settings.h"

namespace trunkline::routing {

/// What is known of a connection when its route is chosen. What is not known fits only where a route does
/// not ask for it (an empty list): a `*` asks that there be a value.
struct connection_facts {
  std::string_view listener;
  std::optional<std::string_view> server_name;  ///< SNI; nothing without TLS or where the client sent none
  std::optional<std::string_view> database;     ///< nothing in passthrough, where TLS hides it
  std::optional<std::string_view> user;         ///< likewise
  std::optional<config::ip_address> source;     ///< behind a trusted PROXY header; nothing on a unix socket
};

bool fits(const config::route_match& match, const connection_facts& facts);

/// nullptr: no route takes it. The pointer lives as long as `settings`.
const config::route* find_route(const config::settings& settings, const connection_facts& facts);

}  // namespace trunkline::routing
