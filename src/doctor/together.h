// Coroutines that run beside each other, and one that waits for all of them.
//
//     together many(loop);
//     for (...) many.add(step(&thing));
//     co_await together::all(&many);
//
// Owner: the coroutine that waits, on the loop thread. Destroying it ends those that are under way.
#pragma once

#include <cstddef>
#include <list>
#include <utility>

#include "runtime/loop.h"
#include "runtime/signal.h"
#include "runtime/task.h"

namespace trunkline::doctor {

class together {
 public:
  explicit together(runtime::loop& where) : changed_(where) {}
  together(const together&) = delete;
  together& operator=(const together&) = delete;

  /// It begins at once.
  void add(runtime::task<void> one) {
    tasks_.push_back(std::move(one));
    ++running_;
    tasks_.back().start(
        [](void* self) {
          --static_cast<together*>(self)->running_;
          static_cast<together*>(self)->changed_.raise();
        },
        this);
  }

  static runtime::task<void> all(together* self) {
    while (self->running_ > 0)
      co_await self->changed_.wait();
  }

 private:
  runtime::signal changed_;
  std::size_t running_ = 0;
  std::list<runtime::task<void>> tasks_;  // the last to be declared: they may still use the others
};

}  // namespace trunkline::doctor
