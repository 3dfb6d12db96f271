// What a coroutine waits for: something changed, look again. The waiter checks its condition in a loop:
//
//     while (!channel.has_message() && !channel.ended()) co_await changed.wait();
//
// `raise` never resumes the waiter inside the caller's stack but at the end of the batch of events, so that
// callbacks are never re-entered. Destroying the coroutine while it waits is allowed; that is how it is
// cancelled. Owner: one loop thread; at most one waiter.
#pragma once

#include <coroutine>

#include "runtime/loop.h"

namespace trunkline::runtime {

class signal {
 public:
  explicit signal(loop& where) : resume_(where, &signal::resume, this) {}
  signal(const signal&) = delete;
  signal& operator=(const signal&) = delete;

  void raise() {
    if (waiter_) resume_.schedule();
  }

  class awaiter {
   public:
    explicit awaiter(signal& owner) : owner_(owner) {}
    awaiter(const awaiter&) = delete;
    awaiter& operator=(const awaiter&) = delete;
    ~awaiter() {
      if (suspended_) owner_.forget();
    }
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
      owner_.waiter_ = handle;
      suspended_ = true;
    }
    void await_resume() { suspended_ = false; }

   private:
    signal& owner_;
    bool suspended_ = false;
  };

  awaiter wait() { return awaiter(*this); }

 private:
  static void resume(void* self) {
    auto waiter = static_cast<signal*>(self)->waiter_;
    static_cast<signal*>(self)->waiter_ = nullptr;
    if (waiter) waiter.resume();
  }
  void forget() {
    waiter_ = nullptr;
    resume_.cancel();
  }

  deferred resume_;
  std::coroutine_handle<> waiter_;
};

}  // namespace trunkline::runtime
