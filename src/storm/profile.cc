#include "storm/profile.h"

#include <algorithm>

namespace trunkline::storm {

std::size_t clients_at(profile shape, std::size_t all, std::chrono::nanoseconds elapsed,
                       std::chrono::nanoseconds total) {
  const double part =
      total.count() <= 0
          ? 1
          : std::clamp(static_cast<double>(elapsed.count()) / static_cast<double>(total.count()), 0.0, 1.0);
  if (shape == profile::ramp) {
    const double grown = std::min(part / 0.8, 1.0);
    return 1 + static_cast<std::size_t>(grown * static_cast<double>(all - 1));
  }
  if (shape == profile::spike) {
    const bool high = part >= 1.0 / 3 && part < 2.0 / 3;
    return high ? all : std::max<std::size_t>(all / 10, 1);
  }
  return all;
}

}  // namespace trunkline::storm
