// A piece of blocking work on a thread of its own, for what nobody can end: a name look-up that hangs in the
// C library, a conversation that another library has. Unlike a `job` it may be left behind: its
// thread then goes on by itself, touches nothing of ours, and ends with the process at the latest.
//
//     apart<int> slow(loop, changed);
//     if (!slow.start([] { return compute(); })) ...there is no thread...
//     while (!slow.done() && !late.passed()) co_await changed.wait();
//
// Owner: one loop thread, whose loop outlives it. The work itself must own everything it touches.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "runtime/loop.h"
#include "runtime/signal.h"

namespace trunkline::runtime {

template <class T>
class apart {
 public:
  apart(loop& where, signal& changed) : state_(std::make_shared<state>()) {
    state_->where = &where;
    state_->changed = &changed;
  }
  apart(const apart&) = delete;
  apart& operator=(const apart&) = delete;
  ~apart() {
    const std::lock_guard lock(state_->mutex);
    state_->where = nullptr;
  }

  /// False: the system has no thread for it.
  bool start(std::move_only_function<T()> work) {
    try {
      std::thread([shared = state_, work = std::move(work)]() mutable {
        auto value = std::make_unique<T>(work());
        const std::lock_guard lock(shared->mutex);
        if (shared->where == nullptr) return;
        shared->where->post([shared, value = std::move(value)]() mutable {
          if (shared->where == nullptr) return;  // only ever set on the loop's thread
          shared->value = std::move(value);
          shared->changed->raise();
        });
      }).detach();
    } catch (const std::system_error&) {
      return false;
    }
    return true;
  }
  bool done() const { return state_->value != nullptr; }
  T take() { return std::move(*state_->value); }

 private:
  struct state {
    std::mutex mutex;       // of `where`, which the loop's thread may read without it
    loop* where = nullptr;  // null: nobody waits any more
    signal* changed = nullptr;
    std::unique_ptr<T> value;
  };

  std::shared_ptr<state> state_;
};

}  // namespace trunkline::runtime
