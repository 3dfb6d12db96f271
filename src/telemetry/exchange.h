// What one exchange cost and how it ended (interfaces.md, "Time attribution of one exchange"): from the
// client's first byte after ReadyForQuery up to the next ReadyForQuery. Value types; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace trunkline::telemetry {

using std::chrono::nanoseconds;

/// Where the time of an exchange went. `transfer` and `client_stall` may overlap: a client that takes nothing
/// holds up the transfer too.
enum class phase : std::uint8_t {
  gateway,
  wait,
  network,
  server,
  transfer,
  client_stall,
  client_upload,  ///< from the first to the last byte of the request
};
inline constexpr std::size_t phase_count = 7;
inline constexpr std::array<std::string_view, phase_count> phase_names{
    "gateway", "wait", "network", "server", "transfer", "client_stall", "client_upload"};

enum class exchange_kind : std::uint8_t { simple, extended, copy_in, copy_out, replication, function };
inline constexpr std::array<std::string_view, 6> exchange_kind_names{"simple",  "extended",    "copyIn",
                                                                     "copyOut", "replication", "function"};

/// `cut_off`: the session ended before its ReadyForQuery.
enum class outcome : std::uint8_t { ok, error, cut_off };
inline constexpr std::size_t outcome_count = 3;
inline constexpr std::array<std::string_view, outcome_count> outcome_names{"ok", "error", "cut_off"};

struct exchange_facts {
  std::chrono::steady_clock::time_point began{};  ///< T1
  nanoseconds total{0};                           ///< T1 to T5, or to where it was cut off
  std::array<nanoseconds, phase_count> phases{};
  std::uint64_t bytes_in = 0;      ///< from the client
  std::uint64_t bytes_out = 0;     ///< from the server
  std::uint64_t last_request = 0;  ///< number of its last request in the session's exchange queue
  exchange_kind kind = exchange_kind::simple;
  outcome how = outcome::ok;
  char transaction_status = 'I';  ///< behind it
  sqlstate code;                  ///< of its first ErrorResponse; 00000 without one

  nanoseconds at(phase which) const { return phases[static_cast<std::size_t>(which)]; }
  nanoseconds& at(phase which) { return phases[static_cast<std::size_t>(which)]; }
};

/// Where most of the time went. What a client's stall holds up is the client's, not the transfer's.
inline phase dominant(const exchange_facts& facts) {
  auto phases = facts.phases;
  nanoseconds& transfer = phases[static_cast<std::size_t>(phase::transfer)];
  transfer -= std::min(transfer, facts.at(phase::client_stall));
  return static_cast<phase>(std::max_element(phases.begin(), phases.end()) - phases.begin());
}

}  // namespace trunkline::telemetry
