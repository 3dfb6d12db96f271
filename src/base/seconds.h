// Durations as the field's numbers tell them: in seconds. Any thread.
#pragma once

#include <chrono>

namespace trunkline {

template <class Rep, class Period>
constexpr double seconds_of(std::chrono::duration<Rep, Period> value) {
  return std::chrono::duration<double>(value).count();
}

}  // namespace trunkline
