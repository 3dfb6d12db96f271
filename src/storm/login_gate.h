// Logins of a whole crowd at a bounded rate: each takes the next free moment. Owner: one loop thread.
#pragma once

#include <algorithm>

#include "runtime/timer.h"

namespace trunkline::storm {

class login_gate {
 public:
  /// `per_second` is more than 0.
  explicit login_gate(double per_second)
      : step_(std::chrono::duration_cast<runtime::duration>(std::chrono::duration<double>(1 / per_second))) {}

  /// When the caller may log in: now, or later.
  runtime::time_point reserve(runtime::time_point now) {
    next_ = std::max(next_, now);
    const auto mine = next_;
    next_ += step_;
    return mine;
  }
  /// Nobody waits for what was reserved any more.
  void forget() { next_ = {}; }

 private:
  runtime::duration step_;
  runtime::time_point next_{};
};

}  // namespace trunkline::storm
