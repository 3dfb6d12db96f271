#include "runtime/loop.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace trunkline::runtime {
namespace {

/// What takes long has so much of each turn. One piece of it is done in any case.
constexpr std::chrono::milliseconds long_share{1};

}  // namespace

void deferred::schedule() {
  if (!scheduled()) link(loop_->queue_);
}

void deferred::schedule_long() {
  if (!scheduled()) link(loop_->long_queue_);
}

void deferred::link(deferred& ring) {
  previous_ = ring.previous_;
  next_ = &ring;
  previous_->next_ = this;
  ring.previous_ = this;
}

void deferred::cancel() {
  if (loop_ != nullptr && scheduled()) unlink();
}

void deferred::unlink() {
  previous_->next_ = next_;
  next_->previous_ = previous_;
  previous_ = next_ = nullptr;
}

void turn_hook::schedule() {
  if (place_ != 0) return;
  loop_->hooks_.push_back(this);
  place_ = loop_->hooks_.size();
}

void turn_hook::cancel() {
  if (place_ != 0) loop_->hooks_[place_ - 1] = nullptr;
  place_ = 0;
}

loop::loop() {
  for (deferred* ring : {&queue_, &long_queue_})
    ring->previous_ = ring->next_ = ring;
  read_clock();
}

loop::~loop() {
  bury();
}

void loop::read_clock() {
  now_ = clock();
}

bool loop::has_immediate_work() const {
  return queue_.next_ != &queue_ || long_queue_.next_ != &long_queue_ || !graveyard_.empty() ||
         has_posted_.load(std::memory_order_acquire);
}

void loop::turn() {
  const time_point* deadline = nullptr;
  time_point next = now_;
  if (has_immediate_work()) {
    deadline = &next;
  } else if (!timers_.empty()) {
    next = timers_.next_deadline();
    deadline = &next;
  }
  last_look_ = now_;
  poll(deadline);
  if (has_posted_.load(std::memory_order_acquire)) run_posted();
  if (!timers_.empty()) timers_.fire(now_);
  if (queue_.next_ != &queue_) run_deferred();
  end_turn();
  run_hooks();
  if (long_queue_.next_ != &long_queue_) run_long();
  if (!graveyard_.empty()) bury();
}

/// Late: the turn before took long, or the wait ended long after it should have; or nobody can tell, since
/// there was no deadline within the time of a pulse.
void loop::wait_is_over(const time_point* deadline) {
  read_clock();
  late_ = turn_over_ - last_look_ > limits::loop_late || now_ - turn_over_ > limits::loop_pulse ||
          (deadline != nullptr && now_ - std::max(*deadline, turn_over_) > limits::loop_late);
}

void loop::run_hooks() {
  turn_over_ = clock();
  busy_ += turn_over_ - now_;
  for (std::size_t i = 0; i < hooks_.size(); ++i) {
    if (hooks_[i] == nullptr) continue;
    hooks_[i]->place_ = 0;
    hooks_[i]->call_(hooks_[i]->context_, turn_over_);
  }
  hooks_.clear();
}

void loop::run() {
  read_clock();
  turn_over_ = now_;
  while (!stopping_.load(std::memory_order_acquire))
    turn();
}

void loop::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void loop::post(std::move_only_function<void()> work) {
  {
    std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  if (!has_posted_.exchange(true, std::memory_order_acq_rel)) wake();
}

void loop::run_posted() {
  std::vector<std::move_only_function<void()>> batch;
  has_posted_.store(false, std::memory_order_release);
  {
    std::lock_guard lock(posted_mutex_);
    batch.swap(posted_);
  }
  for (auto& work : batch)
    work();
}

void loop::run_deferred() {
  // What is deferred meanwhile waits for the next turn: a marker ends this batch, so that nothing starves the
  // sockets.
  deferred marker;
  marker.loop_ = this;
  marker.schedule();
  while (queue_.next_ != &marker) {
    deferred* first = queue_.next_;
    first->unlink();
    first->call_(first->context_);  // may destroy `first`
  }
}

/// Behind the hooks: what they measure is over by then.
void loop::run_long() {
  deferred marker;
  marker.link(long_queue_);
  for (bool in_time = true; in_time && long_queue_.next_ != &marker;) {
    deferred* first = long_queue_.next_;
    first->unlink();
    first->call_(first->context_);  // may destroy `first`
    in_time = clock() < turn_over_ + long_share;
  }
  marker.unlink();
  end_turn();
  const time_point over = clock();
  busy_ += over - turn_over_;
  turn_over_ = over;
}

void loop::bury() {
  while (!graveyard_.empty()) {
    auto batch = std::move(graveyard_);
    graveyard_.clear();
  }
}

}  // namespace trunkline::runtime
