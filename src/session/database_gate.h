// Databases that take no new sessions: the console's DISABLE and ENABLE. Names as clients ask for them.
// Owner: main, with the services; any thread. Asking costs one load while nothing is disabled.
#pragma once

#include <atomic>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace trunkline::session {

class database_gate {
 public:
  bool lets_in(std::string_view database) const {
    if (!some_.load(std::memory_order_acquire)) return true;
    const std::lock_guard lock(mutex_);
    return !closed_.contains(database);
  }
  void close(const std::string& database) {
    const std::lock_guard lock(mutex_);
    closed_.insert(database);
    some_.store(true, std::memory_order_release);
  }
  void open(const std::string& database) {
    const std::lock_guard lock(mutex_);
    closed_.erase(database);
    some_.store(!closed_.empty(), std::memory_order_release);
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> closed_;
  std::atomic<bool> some_{false};
};

}  // namespace trunkline::session
