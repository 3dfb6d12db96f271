// The API server's clock, as its answers tell it: to the second, by their Date, and closer with each answer.
// Gateways whose own clocks are wrong agree by it on when a grant ends. Between answers it goes on with the
// monotonic clock. Value type; times are the caller's.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/limits_kubernetes.h"

namespace trunkline::k8s {

class server_clock {
 public:
  using moment = std::chrono::steady_clock::time_point;
  using wall_time = std::chrono::sys_time<std::chrono::milliseconds>;

  /// An answer that was made between the two moments says that it is `date`, or up to a second later. What
  /// does not fit to the answers before moves the clock by limits::k8s_clock_step at most.
  void hear(std::chrono::system_clock::time_point date, moment sent, moment received);
  /// Nothing: no answer yet.
  std::optional<wall_time> at(moment when) const;

 private:
  using millis = std::int64_t;  // server's time less the monotonic one

  void widen(moment now);
  void step_towards(millis least, millis most);

  bool heard_ = false;
  millis least_ = 0;
  millis most_ = 0;
  moment last_{};
};

}  // namespace trunkline::k8s
