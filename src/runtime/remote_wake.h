// Raises a coroutine's signal from another thread, as long as the coroutine is there to hear it:
//
//     remote_wake here(loop, changed);          // lives in the coroutine
//     list.push_back(here.handle());            // kept by whoever will call, for as long as they like
//     ...
//     caller.wake();                            // any thread; nothing happens where `here` is gone
//
// The loop itself must outlive the callers' last wake.
#pragma once

#include <memory>

#include "runtime/loop.h"
#include "runtime/signal.h"

namespace trunkline::runtime {

class remote_wake {
  struct state {
    loop* where;
    signal* changed;  // null once nobody listens; only ever touched on the loop's thread
  };

 public:
  class caller {
   public:
    caller() = default;
    void wake() const {
      state_->where->post([shared = state_] {
        if (shared->changed != nullptr) shared->changed->raise();
      });
    }
    bool operator==(const caller&) const = default;

   private:
    friend class remote_wake;
    explicit caller(std::shared_ptr<state> of) : state_(std::move(of)) {}
    std::shared_ptr<state> state_;
  };

  remote_wake(loop& where, signal& changed) : state_(std::make_shared<state>(&where, &changed)) {}
  remote_wake(const remote_wake&) = delete;
  remote_wake& operator=(const remote_wake&) = delete;
  ~remote_wake() { state_->changed = nullptr; }

  caller handle() const { return caller(state_); }

 private:
  std::shared_ptr<state> state_;
};

}  // namespace trunkline::runtime
