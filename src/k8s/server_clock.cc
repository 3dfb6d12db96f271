#include "k8s/server_clock.h"

#include <algorithm>

namespace trunkline::k8s {

namespace {

using std::chrono::milliseconds;

/// Two clocks of two machines part by no more than this part of the time, or they are not clocks.
constexpr std::int64_t drift_part = 5'000;

std::int64_t in_millis(server_clock::moment when) {
  return std::chrono::floor<milliseconds>(when.time_since_epoch()).count();
}

}  // namespace

void server_clock::widen(moment now) {
  const millis more = std::max<millis>(0, in_millis(now) - in_millis(last_)) / drift_part;
  least_ -= more;
  most_ += more;
  last_ = now;
}

void server_clock::step_towards(millis least, millis most) {
  const millis now = (least_ + most_) / 2;
  const millis step = limits::k8s_clock_step.count();
  if (least - now > step) {
    least_ = most_ = now + step;
  } else if (now - most > step) {
    least_ = most_ = now - step;
  } else {
    least_ = least;
    most_ = most;
  }
}

void server_clock::hear(std::chrono::system_clock::time_point date, moment sent, moment received) {
  const millis said = std::chrono::floor<milliseconds>(date.time_since_epoch()).count();
  const millis least = said - in_millis(received);
  const millis most = said + 1'000 - in_millis(sent);
  if (!heard_) {
    heard_ = true;
    least_ = least;
    most_ = most;
    last_ = received;
    return;
  }
  widen(received);
  if (least > most_ || most < least_) return step_towards(least, most);
  least_ = std::max(least_, least);
  most_ = std::min(most_, most);
}

std::optional<server_clock::wall_time> server_clock::at(moment when) const {
  if (!heard_) return std::nullopt;
  return wall_time(milliseconds(in_millis(when) + (least_ + most_) / 2));
}

}  // namespace trunkline::k8s
