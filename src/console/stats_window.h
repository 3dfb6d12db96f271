// Totals per route as PgBouncer counts them, and their change over about a minute for its averages. PgBouncer
// samples each `stats_period` (60 s); here a sample is taken when somebody looks and the last one is old
// enough, so that averages cover a minute or more, or the time since the start. One owner, one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "telemetry/route_metrics.h"

namespace trunkline::console {

/// Microseconds and bytes. A transaction is told by its gaps: n exchanges in one leave n - 1 gaps between
/// them.
struct route_totals {
  std::uint64_t transactions = 0;
  std::uint64_t queries = 0;   ///< exchanges: up to ReadyForQuery
  std::uint64_t received = 0;  ///< from clients
  std::uint64_t sent = 0;      ///< to clients
  std::uint64_t transaction_us = 0;
  std::uint64_t query_us = 0;
  std::uint64_t wait_us = 0;
  std::uint64_t sessions = 0;     ///< begun
  std::uint64_t assignments = 0;  ///< times that a client got a server connection
  std::uint64_t failed = 0;       ///< exchanges with an error or cut off

  void add(const route_totals& other);
};

using totals_by_route = std::map<std::string, route_totals>;

/// Summed over the workers.
totals_by_route totals_of(const std::vector<const telemetry::route_metrics*>& routes);

class stats_window {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit stats_window(time_point started) : older_{started, {}}, newer_{started, {}} {}

  struct change {
    totals_by_route since;  ///< the totals of then
    double seconds = 0;
  };
  /// What `totals`, read at `now`, are to be compared with.
  change look(const totals_by_route& totals, time_point now);

 private:
  struct sample {
    time_point when;
    totals_by_route totals;
  };
  sample older_;
  sample newer_;
};

}  // namespace trunkline::console
