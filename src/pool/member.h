// One server of a cluster as the sessions share it: how many are there, who may log in, and whether logins
// fail. Lives as long as somebody knows it: the topology, or the last session on it. Any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "pool/login_line.h"
#include "routing/topology.h"

namespace trunkline::pool {

struct member {
  member(routing::endpoint_id its_id, std::string its_name, config::address its_address,
         std::size_t max_logins)
      : id(its_id), name(std::move(its_name)), address(std::move(its_address)), line(max_logins) {}

  const routing::endpoint_id id;
  const std::string name;
  const config::address address;  ///< its host is what its certificate must have
  std::atomic<std::uint32_t> sessions{0};
  /// Its sessions begin nothing new; so many of them are between two transactions and wait.
  std::atomic<bool> held{false};
  std::atomic<std::uint32_t> resting{0};
  login_line line;

  /// A login worked: what failed before is forgotten.
  void worked(routing::moment now) {
    std::lock_guard lock(mutex_);
    worked_at_ = now;
    failures_ = ejections_ = 0;
    ejected_until_ = {};
  }
  /// A login failed, the server's fault. `jitter` is from 0 to 1. True: it now rests for a while.
  bool failed(routing::moment now, double jitter);
  /// When a login worked last.
  routing::moment worked_at() const {
    std::lock_guard lock(mutex_);
    return worked_at_;
  }
  routing::moment ejected_until() const {
    std::lock_guard lock(mutex_);
    return ejected_until_;
  }

 private:
  mutable std::mutex mutex_;
  int failures_ = 0;   // in a row
  int ejections_ = 0;  // since a login worked
  routing::moment ejected_until_{};
  routing::moment worked_at_{};
};

/// A session's place on a server: counted for balancing, and how it is found when the server must be left.
class lease {
 public:
  lease() = default;
  explicit lease(std::shared_ptr<member> on) : on_(std::move(on)) {
    on_->sessions.fetch_add(1, std::memory_order_relaxed);
  }
  lease(lease&& other) noexcept = default;
  lease& operator=(lease&& other) noexcept {
    std::swap(on_, other.on_);
    return *this;
  }
  ~lease() {
    if (on_ != nullptr) on_->sessions.fetch_sub(1, std::memory_order_relaxed);
  }
  const member* on() const { return on_.get(); }
  const std::shared_ptr<member>& shared() const { return on_; }
  member* on() { return on_.get(); }
  std::shared_ptr<const config::address> address() const { return {on_, &on_->address}; }
  explicit operator bool() const { return on_ != nullptr; }

 private:
  std::shared_ptr<member> on_;
};

}  // namespace trunkline::pool
