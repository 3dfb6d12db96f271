// Where in a connection's life time goes, and where something goes wrong. Pure; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trunkline::storm {

enum class stage : std::uint8_t {
  dns,      ///< the look-up of a host's name
  connect,  ///< TCP, up to whoever answers first on the path
  ssl,      ///< SSLRequest and the TLS handshake
  auth,     ///< from StartupMessage to AuthenticationOk, without what the keys cost this process
  lease,    ///< from AuthenticationOk to ReadyForQuery, a BEGIN, and what a single statement takes beyond the
            ///< usual: where a pooler gets a server connection
  query,    ///< from a request to the first byte of its answer, without that
  transfer,  ///< from there to its ReadyForQuery
  close,     ///< from Terminate to the end of the connection
};

inline constexpr std::array<std::string_view, 8> stage_names{"dns",   "connect", "ssl",      "auth",
                                                             "lease", "query",   "transfer", "close"};
inline constexpr std::size_t stage_count = stage_names.size();

constexpr std::string_view name_of(stage which) {
  return stage_names[static_cast<std::size_t>(which)];
}

}  // namespace trunkline::storm
