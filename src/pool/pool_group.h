// What the pools of one upstream have in common: what their clients have waited for. Owner: `link_pools`, for
// the life of the process, so that no counter ever goes back. Any thread, but for what is written of one
// worker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "telemetry/pool_metrics.h"

namespace trunkline::pool {

class pool_group {
 public:
  pool_group(const std::string& upstream, std::size_t workers) {
    for (std::size_t i = 0; i < workers; ++i) {
      counts_.push_back(std::make_unique<telemetry::pool_metrics>());
      counts_.back()->upstream = upstream;
    }
  }
  pool_group(const pool_group&) = delete;
  pool_group& operator=(const pool_group&) = delete;

  const std::string& upstream() const { return counts_.front()->upstream; }
  /// Written on that worker's thread only.
  telemetry::pool_metrics& counts(unsigned worker) { return *counts_[worker]; }
  std::size_t workers() const { return counts_.size(); }

 private:
  std::vector<std::unique_ptr<telemetry::pool_metrics>> counts_;  // one for each worker
};

}  // namespace trunkline::pool
