#include "pool/login_line.h"

#include <algorithm>

namespace trunkline::pool {

login_line::place::place(login_line& line, runtime::loop& where, runtime::signal& changed)
    : line_(line), here_(where, changed) {
  std::lock_guard lock(line_.mutex_);
  at_ = line_.waiters_.insert(line_.waiters_.end(), {.who = here_.handle()});
  // Nobody else waits and there is room: no need to be woken for that.
  if (line_.waiters_.size() == 1 && line_.active_ < line_.allowed_) {
    at_->admitted = true;
    ++line_.active_;
  }
}

login_line::place::~place() {
  if (gone_) return;
  std::lock_guard lock(line_.mutex_);
  if (at_->admitted) --line_.active_;
  line_.waiters_.erase(at_);
  line_.admit();
}

login_line::turn login_line::place::take() {
  std::lock_guard lock(line_.mutex_);
  if (gone_ || !at_->admitted) return {};
  line_.waiters_.erase(at_);
  gone_ = true;
  line_.admit();  // it may have stood before others who fit too
  return turn(&line_);
}

/// Under the mutex. Those who are admitted and have not taken their turn yet stand at the front.
void login_line::admit() {
  for (waiter& each : waiters_) {
    if (active_ >= allowed_) return;
    if (each.admitted) continue;
    each.admitted = true;
    ++active_;
    each.who.wake();
  }
}

void login_line::left(turn::how it_went) {
  std::lock_guard lock(mutex_);
  --active_;
  if (it_went == turn::how::badly) allowed_ = std::max<std::size_t>(allowed_ / 2, 1);
  if (it_went == turn::how::well) allowed_ = std::min(allowed_ + 1, limit_);
  admit();
}

void login_line::set_limit(std::size_t limit) {
  std::lock_guard lock(mutex_);
  const bool was_full = allowed_ == limit_;
  limit_ = limit;
  allowed_ = was_full ? limit : std::min(allowed_, limit);
  admit();
}

void login_line::begin_slowly() {
  std::lock_guard lock(mutex_);
  allowed_ = 1;
}

std::size_t login_line::waiting() const {
  std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(waiters_.begin(), waiters_.end(), [](const waiter& each) { return !each.admitted; }));
}

std::size_t login_line::under_way() const {
  std::lock_guard lock(mutex_);
  return active_;
}

}  // namespace trunkline::pool
