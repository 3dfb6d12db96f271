#include "pool/connection_budget.h"

#include <algorithm>
#include <utility>

namespace trunkline::pool {

namespace {

std::size_t less(std::size_t from, std::size_t what) {
  return from > what ? from - what : 0;
}

}  // namespace

void connection_budget::set(std::size_t most, std::size_t per_user) {
  std::lock_guard lock(mutex_);
  if (most == most_ && per_user == per_user_) return;
  most_ = most;
  per_user_ = per_user;
  if (most_ > 0) shrink(nullptr, most_);
  if (per_user_ > 0) {
    for (const auto& [user, count] : by_user_)
      if (count > per_user_) shrink(&user, per_user_);
  }
  hand_out();
}

void connection_budget::join(budget_member& who) {
  std::lock_guard lock(mutex_);
  members_.push_back(&who);
}

void connection_budget::part(budget_member& who) {
  std::lock_guard lock(mutex_);
  drop(who, who.has_);
  if (std::exchange(who.hungry_, false)) --hungry_;
  drop_places(who);
  std::erase(members_, &who);
  hand_out();
}

bool connection_budget::enter(budget_member& who, runtime::time_point now) {
  std::lock_guard lock(mutex_);
  if (who.places_ > 0) {
    --who.places_;
    ++who.has_;
    return true;
  }
  if (has_room(who)) {
    take(who);
    ++who.has_;
    return true;
  }
  want(who, now);
  return false;
}

void connection_budget::leave(budget_member& who, std::size_t how_many) {
  std::lock_guard lock(mutex_);
  drop(who, std::min(how_many, who.has_));
  if (who.has_ == 0) who.debts_.store(0, std::memory_order_relaxed);
  hand_out();
}

void connection_budget::pass_on(budget_member& who) {
  std::lock_guard lock(mutex_);
  if (who.places_ == 0) return;
  who.promised_ = 0;
  drop_places(who);
  hand_out();
}

std::size_t connection_budget::total() const {
  std::lock_guard lock(mutex_);
  return total_;
}

bool connection_budget::has_bounds() const {
  std::lock_guard lock(mutex_);
  return most_ > 0 || per_user_ > 0;
}

// ---- under the mutex ----

std::size_t connection_budget::of_user(const std::string& user) const {
  const auto at = by_user_.find(user);
  return at == by_user_.end() ? 0 : at->second;
}

bool connection_budget::has_room(const budget_member& who) const {
  return (most_ == 0 || total_ < most_) && (per_user_ == 0 || of_user(who.budget_user()) < per_user_);
}

void connection_budget::take(budget_member& who) {
  ++total_;
  ++by_user_[who.budget_user()];
}

void connection_budget::drop(budget_member& who, std::size_t how_many) {
  who.has_ -= how_many;
  total_ -= how_many;
  const auto at = by_user_.find(who.budget_user());
  if (at != by_user_.end() && (at->second -= how_many) == 0) by_user_.erase(at);
}

void connection_budget::drop_places(budget_member& who) {
  who.has_ += who.places_;
  drop(who, std::exchange(who.places_, 0));
}

void connection_budget::want(budget_member& who, runtime::time_point now) {
  if (!std::exchange(who.hungry_, true)) ++hungry_;
  if (now - looked_ < limits::pool_room_look) return;
  looked_ = now;
  const bool all_paid = std::none_of(members_.begin(), members_.end(), [](const budget_member* each) {
    return each->debts_.load(std::memory_order_relaxed) > 0;
  });
  if (all_paid) who.promised_ = 0;  // what was given for it went to others
  if (who.promised_ >= who.waiting_clients()) return;
  budget_member* const giver = giver_for(who, now);
  if (giver == nullptr) return;
  giver->debts_.fetch_add(1, std::memory_order_relaxed);
  ++who.promised_;
  giver->asked_to_pay();
}

/// Idle connections first, whoever has them; else those of the pool that has most.
budget_member* connection_budget::giver_for(const budget_member& who, runtime::time_point now) const {
  const bool of_its_user = per_user_ > 0 && of_user(who.budget_user()) >= per_user_;
  const std::size_t own = who.has_ + who.places_ + who.promised_;
  const auto since = who.waits_since();
  const bool its_turn = own == 0 && since && now - *since >= limits::pool_turn;
  budget_member* best = nullptr;
  std::pair<bool, std::size_t> of_best;
  for (budget_member* each : members_) {
    if (each == &who || (of_its_user && each->budget_user() != who.budget_user())) continue;
    const std::size_t debts = each->debts_.load(std::memory_order_relaxed);
    const std::pair<bool, std::size_t> of_this{each->spare_connections() > debts, less(each->has_, debts)};
    const bool gives = of_this.first || of_this.second > own + 1 || (its_turn && of_this.second > 0);
    if (!gives || (best != nullptr && of_this <= of_best)) continue;
    best = each;
    of_best = of_this;
  }
  return best;
}

/// To those that have least, and of them to those that have waited for longest.
void connection_budget::hand_out() {
  while (hungry_ > 0) {
    budget_member* next = nullptr;
    std::pair<std::size_t, runtime::time_point> of_next;
    for (budget_member* each : members_) {
      if (!each->hungry_ || !has_room(*each)) continue;
      const std::pair of_this{each->has_ + each->places_,
                              each->waits_since().value_or(runtime::time_point::max())};
      if (next != nullptr && of_this >= of_next) continue;
      next = each;
      of_next = of_this;
    }
    if (next == nullptr) return;
    next->hungry_ = false;
    --hungry_;
    next->promised_ = less(next->promised_, 1);
    if (!next->place_is_free()) continue;
    take(*next);
    ++next->places_;
  }
}

void connection_budget::shrink(const std::string* user, std::size_t most) {
  const auto counts = [&](const budget_member& each) {
    return user == nullptr || each.budget_user() == *user;
  };
  std::size_t left = 0;
  for (const budget_member* each : members_) {
    if (counts(*each)) left += less(each->has_, each->debts_.load(std::memory_order_relaxed));
  }
  for (; left > most; --left) {
    budget_member* largest = nullptr;
    for (budget_member* each : members_) {
      const auto rest = [](const budget_member& of) {
        return less(of.has_, of.debts_.load(std::memory_order_relaxed));
      };
      if (!counts(*each) || rest(*each) == 0) continue;
      if (largest == nullptr || rest(*each) > rest(*largest)) largest = each;
    }
    if (largest == nullptr) return;
    largest->debts_.fetch_add(1, std::memory_order_relaxed);
    largest->asked_to_pay();
  }
}

}  // namespace trunkline::pool
