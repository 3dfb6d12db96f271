// A deadline that a coroutine waits with: raises the signal when it passes. Owner: one loop thread.
#pragma once

#include "runtime/loop.h"
#include "runtime/signal.h"

namespace trunkline::runtime {

class deadline {
 public:
  deadline(loop& where, signal& changed)
      : loop_(&where), changed_(&changed), timer_(where.timers(), &fired, this) {}
  deadline(loop& where, signal& changed, duration after) : deadline(where, changed) { arm(after); }

  void arm(duration after) {
    passed_ = false;
    timer_.arm(loop_->now() + after);
  }
  void disarm() { timer_.disarm(); }
  bool passed() const { return passed_; }

 private:
  static void fired(void* self) {
    static_cast<deadline*>(self)->passed_ = true;
    static_cast<deadline*>(self)->changed_->raise();
  }

  loop* loop_;
  signal* changed_;
  timer timer_;
  bool passed_ = false;
};

}  // namespace trunkline::runtime
