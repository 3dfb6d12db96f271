// Stalls in a row of quick round trips, and whether they come with the period of a CPU quota. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <vector>

#include "doctor/facts.h"

namespace trunkline::doctor {

/// What a Linux CPU quota is measured in (cpu.cfs_period_us, cpu.max): who has used his share does not run
/// until the next one begins.
inline constexpr microseconds quota_period{100'000};
/// A shorter pause is scheduling.
inline constexpr microseconds least_stall{10'000};

struct stall_pattern {
  std::size_t stalls = 0;   ///< trips that took least_stall longer than the median
  std::size_t periods = 0;  ///< different periods that have one which ends where most do
  std::size_t spanned = 0;  ///< periods from the first one to the last
  double alignment = 0;     ///< the share of them that ends where most do within the period
  microseconds typical{0};  ///< median length
  microseconds median_trip{0};

  /// Many, one in nearly each period, ending together: a quota, and nothing that a busy machine does.
  bool is_quota() const;
};

stall_pattern pattern_of(const std::vector<timed_trip>& trips);

}  // namespace trunkline::doctor
