// What the pools of one upstream have in common: what their clients have waited for, and how many connections
// they may have together. Owner: `link_pools`, for
// the life of the process, so that no counter ever goes back. Any thread, but for what is written of one
// worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "pool/connection_budget.h"
#include "telemetry/pool_metrics.h"

namespace trunkline::pool {

class pool_group {
 public:
  pool_group(const std::string& upstream, std::size_t workers, std::atomic<std::uint64_t>& last_link)
      : last_link_(last_link) {
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
  connection_budget& budget() { return budget_; }
  /// Of a new connection, in the whole process.
  std::uint64_t next_link() { return last_link_.fetch_add(1, std::memory_order_relaxed) + 1; }

 private:
  connection_budget budget_;
  std::atomic<std::uint64_t>& last_link_;
  std::vector<std::unique_ptr<telemetry::pool_metrics>> counts_;  // one for each worker
};

}  // namespace trunkline::pool
