// Threads for what must never run on a worker's loop: PBKDF2, name resolution, reading files.
// Any loop may submit; the completion runs on the loop that asked. A job that nobody waits for any more (its
// `job` was destroyed) is skipped if it has not begun; its completion never runs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/loop.h"
#include "runtime/signal.h"

namespace trunkline::runtime {

class work_pool {
 public:
  /// At most `queue_limit` jobs wait; more are refused.
  work_pool(std::size_t threads, std::size_t queue_limit);
  work_pool(const work_pool&) = delete;
  work_pool& operator=(const work_pool&) = delete;
  ~work_pool();
  /// Waits for the jobs that run, drops those that wait and those to come; before the loops go that they
  /// report to.
  void stop();

  /// Any thread. False: the queue is full, `work` will not run.
  bool submit(std::move_only_function<void()> work);

 private:
  void serve();

  const std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::move_only_function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// One piece of off-loop work that a coroutine waits for:
///
///     job<int> slow(loop, pool, changed);
///     if (!slow.start([] { return compute(); })) ...refused, the pool is full...
///     while (!slow.done()) co_await changed.wait();
///     use(slow.take());
///
/// Owner: one loop thread. The work itself must own everything it touches.
template <class T>
class job {
 public:
  job(loop& where, work_pool& pool, signal& changed)
      : loop_(&where), pool_(&pool), state_(std::make_shared<state>()) {
    state_->changed = &changed;
  }
  job(const job&) = delete;
  job& operator=(const job&) = delete;
  ~job() {
    state_->changed = nullptr;
    state_->abandoned.store(true, std::memory_order_relaxed);
  }

  bool start(std::move_only_function<T()> work) {
    return pool_->submit([shared = state_, where = loop_, work = std::move(work)]() mutable {
      if (shared->abandoned.load(std::memory_order_relaxed)) return;
      auto value = std::make_unique<T>(work());
      where->post([shared = std::move(shared), value = std::move(value)]() mutable {
        if (shared->changed == nullptr) return;  // only ever touched on the loop's thread
        shared->value = std::move(value);
        shared->changed->raise();
      });
    });
  }
  bool done() const { return state_->value != nullptr; }
  T take() { return std::move(*state_->value); }

 private:
  struct state {
    signal* changed = nullptr;
    std::unique_ptr<T> value;
    std::atomic<bool> abandoned{false};
  };

  loop* loop_;
  work_pool* pool_;
  std::shared_ptr<state> state_;
};

}  // namespace trunkline::runtime
