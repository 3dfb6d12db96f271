// All clients of one run over one path: as many as the profile wants at each moment, no more than memory
// allows, and no end before each has said goodbye or given up. Owner: one loop thread.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "runtime/signal.h"
#include "runtime/task.h"
#include "storm/client.h"

namespace trunkline::storm {

class crowd {
 public:
  crowd(path& of, const workload_mix& mix, std::chrono::milliseconds duration);
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  ~crowd();

  /// Until the time is over, or `stop`, and all have left.
  static runtime::task<void> run(crowd* self);
  /// Ends early; clients finish what they do.
  void stop();
  /// Clients that are wanted now; the memory's bound has its part in it.
  std::size_t wanted() const { return rules_.wanted; }
  bool held_by_memory() const { return held_by_memory_; }
  microseconds elapsed() const;
  /// What it has seen so far is in the tally, its length too. Also where `run` was not let finish; once.
  void settle();
  bool settled() const { return settled_; }

 private:
  struct member {
    std::unique_ptr<client> who;
    runtime::task<void> life;
    crowd* of = nullptr;
  };

  static void ticked(void* self);
  static void one_left(void* of);
  void tick();
  void want(std::size_t count);
  void add_client();

  path* path_;
  const workload_mix mix_;
  const std::chrono::milliseconds duration_;
  crowd_rules rules_;
  runtime::signal changed_;
  runtime::timer timer_;
  runtime::time_point began_{};
  std::vector<std::unique_ptr<member>> members_;
  std::size_t living_ = 0;
  bool held_by_memory_ = false;
  bool settled_ = false;
};

/// Of this process, resident.
std::uint64_t resident_bytes();

}  // namespace trunkline::storm
