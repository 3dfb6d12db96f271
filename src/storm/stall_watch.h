// How much this process itself kept things waiting, having too much to do or not being let run: a timer that
// is due all the time tells it. What took long meanwhile is not the path's doing. Owner: one loop thread.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/limits.h"
#include "runtime/loop.h"

namespace trunkline::storm {

class stall_watch {
 public:
  explicit stall_watch(runtime::loop& where) : loop_(&where), timer_(where.timers(), &fired, this) {}

  void start() { timer_.arm(loop_->now() + limits::loop_pulse / 2); }
  void stop() { timer_.disarm(); }
  /// All of it since the beginning; only ever grows while the watch runs.
  runtime::duration so_far() const {
    if (!timer_.armed()) return sum_;
    const auto late = std::chrono::steady_clock::now() - timer_.deadline();
    return late > limits::loop_late ? sum_ + late : sum_;
  }

 private:
  static void fired(void* self) {
    auto& mine = *static_cast<stall_watch*>(self);
    const auto late = std::chrono::steady_clock::now() - mine.timer_.deadline();
    if (late > limits::loop_late) mine.sum_ += late;
    mine.timer_.arm(std::chrono::steady_clock::now() + limits::loop_pulse / 2);
  }

  runtime::loop* loop_;
  runtime::timer timer_;
  runtime::duration sum_{0};
};

}  // namespace trunkline::storm
