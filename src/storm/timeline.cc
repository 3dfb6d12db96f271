#include "storm/timeline.h"

#include <algorithm>

#include "base/limits.h"
#include "base/seconds.h"

namespace trunkline::storm {

timeline::timeline(std::chrono::milliseconds total)
    : step_(std::max<std::chrono::microseconds>(total / (limits::storm_points / 2), limits::storm_tick)) {}

void timeline::tick(std::chrono::microseconds elapsed, std::size_t clients, bool at_end) {
  elapsed_ = elapsed;
  const bool anything = now_.count() + logins_ + findings_ > 0;
  if (elapsed - began_ < step_ && !(at_end && anything)) return;
  if (points_.size() >= limits::storm_points) return;
  points_.push_back({.seconds = seconds_of(elapsed),
                     .length = seconds_of(elapsed - began_),
                     .answers = now_.count(),
                     .logins = logins_,
                     .findings = findings_,
                     .clients = clients,
                     .p50 = now_.at(0.5),
                     .p99 = now_.at(0.99),
                     .largest = now_.largest()});
  began_ = elapsed;
  now_.clear();
  logins_ = 0;
  findings_ = 0;
}

}  // namespace trunkline::storm
