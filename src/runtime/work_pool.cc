#include "runtime/work_pool.h"

#include <utility>

namespace trunkline::runtime {

work_pool::work_pool(std::size_t threads, std::size_t queue_limit) : queue_limit_(queue_limit) {
  for (std::size_t i = 0; i < threads; ++i)
    threads_.emplace_back(&work_pool::serve, this);
}

work_pool::~work_pool() {
  stop();
}

void work_pool::stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  for (auto& each : threads_) {
    if (each.joinable()) each.join();
  }
}

bool work_pool::submit(std::move_only_function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || waiting_.size() >= queue_limit_) return false;
    waiting_.push_back(std::move(work));
  }
  changed_.notify_one();
  return true;
}

void work_pool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    work = nullptr;
    lock.lock();
  }
}

}  // namespace trunkline::runtime
