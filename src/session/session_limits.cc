// The limits of its route, and when it may sleep: one timer, moved lazily, so that a busy session never
// touches it.
#include <algorithm>

#include "base/limits.h"
#include "session/session.h"

namespace trunkline::session {

std::optional<runtime::time_point> session::next_limit(relay_event& which) const {
  const config::route_limits& limits = facts_.route->limits;
  std::optional<runtime::time_point> first;
  const auto consider = [&](runtime::time_point due, relay_event event) {
    if (first && *first <= due) return;
    first = due;
    which = event;
  };
  if (limits.session_timeout.count() > 0) {
    consider(facts_.started + limits.session_timeout, relay_event::session_timeout);
  }
  if (limits.idle_timeout.count() > 0) {
    // A running statement, or an open transaction, is not idle, however silent: look again later.
    const auto since = rests() ? facts_.last_bytes() : host_.where().now();
    consider(since + limits.idle_timeout, relay_event::idle_timeout);
  }
  if (limits.transaction_timeout.count() > 0) {
    const auto began = relay_ == nullptr ? std::nullopt : relay_->transaction_began();
    consider(began.value_or(host_.where().now()) + limits.transaction_timeout,
             relay_event::transaction_timeout);
  }
  if (facts_.access->until != runtime::time_point::max())
    consider(facts_.access->until, relay_event::access_expired);
  return first;
}

/// When its client is to be told that its access ends soon; nothing: never, or it was.
std::optional<runtime::time_point> session::next_warning() const {
  if (guard_ == nullptr || guard_->memory().warned || facts_.access->until == runtime::time_point::max())
    return std::nullopt;
  return facts_.access->until - limits::access_warning;
}

void session::warn_of_end() {
  const auto left = facts_.access->until - host_.where().now();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(left).count();
  guard_->warn("access ends in " + std::to_string(std::max<std::int64_t>(seconds, 0)) + " seconds");
}

/// Also when to look whether it may sleep.
void session::watch_limits() {
  relay_event which{};
  if ((relay_ == nullptr && asleep_ == nullptr) || leaving()) return;
  auto due = next_limit(which);
  if (const auto warning = next_warning()) due = due ? std::min(*due, *warning) : *warning;
  if (pooled_ != nullptr) {
    const auto now = host_.where().now();
    const auto tired = facts_.last_bytes() + limits::awake_time;
    const auto look = tired > now ? tired : now + limits::awake_time;
    due = due ? std::min(*due, look) : look;
  }
  if (due) timer_.arm(*due);
}

void session::limit_due() {
  relay_event which{};
  const auto at = next_limit(which);
  if (at && *at <= host_.where().now()) {
    if (asleep_ != nullptr) wake({});
    return relay_->on_event(which);
  }
  if (const auto warning = next_warning(); warning && *warning <= host_.where().now()) warn_of_end();
  if (may_sleep()) fall_asleep();
  watch_limits();
}

}  // namespace trunkline::session
