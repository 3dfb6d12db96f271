// Why a pooled session keeps its server connection between two transactions, `pinned_sessions{reason}`: a
// closed list, so that the metric has a bound. Constants; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

namespace trunkline::telemetry {

inline constexpr std::array<std::string_view, 15> pin_reason_names{"prepare",
                                                                   "temporary",
                                                                   "hold_cursor",
                                                                   "advisory_lock",
                                                                   "listen",
                                                                   "sequence",
                                                                   "load",
                                                                   "seed",
                                                                   "connection",
                                                                   "session_bound",
                                                                   "settings",
                                                                   "unknown",
                                                                   "unnamed_statement",
                                                                   "session_authorization",
                                                                   "other"};
inline constexpr std::size_t pin_reason_count = pin_reason_names.size();

/// Its index; that of "other" where the list does not have it.
constexpr std::size_t pin_reason_of(std::string_view name) {
  const auto at = std::find(pin_reason_names.begin(), pin_reason_names.end() - 1, name);
  return static_cast<std::size_t>(at - pin_reason_names.begin());
}

}  // namespace trunkline::telemetry
