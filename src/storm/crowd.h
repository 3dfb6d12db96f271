// All clients of one run over one path: as many as the profile wants at each moment, no more than memory
// allows, and no end before each has said goodbye or given up. Where two paths take turns, the clients of the
// other one stay connected and begin nothing, and time stands still for them. Owner: one loop thread.
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
  /// `duration`: of its turns together. `changed` is raised when the last round of a turn is over, and when a
  /// client has left.
  crowd(path& of, const workload_mix& mix, std::chrono::milliseconds duration, runtime::signal& changed);
  crowd(const crowd&) = delete;
  crowd& operator=(const crowd&) = delete;
  ~crowd();

  /// Clients begin rounds from now on.
  void take_turn();
  /// They begin none, and finish those under way.
  void end_turn();
  bool at_rest() const { return rules_.under_way == 0; }
  /// Behind its turn: its time stands still until the next one.
  void stand_still();
  /// Clients finish what they do, and leave.
  void stop();
  bool empty() const { return living_ == 0; }
  /// Clients that are wanted now; the memory's bound has its part in it.
  std::size_t wanted() const { return rules_.wanted; }
  bool held_by_memory() const { return held_by_memory_; }
  /// How long it had its turns.
  microseconds elapsed() const;
  /// At its end: what it has seen is in the tally, its length too.
  void settle();

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
  void wake_all();

  path* path_;
  const workload_mix mix_;
  const std::chrono::milliseconds duration_;
  crowd_rules rules_;
  runtime::signal* changed_;
  runtime::timer timer_;
  std::optional<runtime::time_point> still_since_;
  std::vector<std::unique_ptr<member>> members_;
  std::size_t living_ = 0;
  bool held_by_memory_ = false;
};

/// Of this process, resident.
std::uint64_t resident_bytes();

}  // namespace trunkline::storm
