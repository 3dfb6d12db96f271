// When each idle session of a worker is told of a drain: one after the other, evenly over a time, with some
// chance in it, so that thousands of clients do not reconnect in one instant. Pure; time and chance are
// given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "runtime/timer.h"

namespace trunkline::session {

class drain_turns {
 public:
  /// Nobody has a turn.
  drain_turns() = default;
  drain_turns(runtime::time_point begin, runtime::duration spread, std::size_t count)
      : begin_(begin), spread_(spread), count_(count) {}

  /// When the next one has its turn: anywhere within its share of the time, as `dice` falls. Nothing: all had
  /// theirs.
  std::optional<runtime::time_point> next(std::uint32_t dice);

 private:
  runtime::time_point begin_{};
  runtime::duration spread_{0};
  std::size_t count_ = 0;
  std::size_t given_ = 0;
};

}  // namespace trunkline::session
