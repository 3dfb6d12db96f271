// How busy each worker was during the last `limits::busy_window`: sampled once a second by one thread and the
// same for everybody who asks, so that two scrapers do not disturb each other. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "telemetry/route_metrics.h"

namespace trunkline::admin {

class busy_window {
 public:
  void sample(std::chrono::steady_clock::time_point now,
              std::span<const telemetry::worker_metrics* const> workers);
  /// One for each worker, 0 to 1; none before the second sample.
  std::vector<double> ratios() const;

 private:
  struct moment {
    std::chrono::steady_clock::time_point when;
    std::vector<std::uint64_t> busy_ns;
  };

  mutable std::mutex mutex_;
  std::deque<moment> moments_;  ///< the oldest is at least a window old, once there is one
};

}  // namespace trunkline::admin
