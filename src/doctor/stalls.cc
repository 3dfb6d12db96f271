#include "doctor/stalls.h"

#include <cmath>
#include <numbers>
#include <set>

#include "doctor/figures.h"

namespace trunkline::doctor {

bool stall_pattern::is_quota() const {
  constexpr std::size_t enough = 6;
  return periods >= enough && 10 * periods >= 8 * spanned && alignment >= 0.95 && typical < quota_period;
}

stall_pattern pattern_of(const std::vector<timed_trip>& trips) {
  stall_pattern made;
  std::vector<microseconds> all;
  for (const timed_trip& each : trips)
    all.push_back(each.took);
  made.median_trip = median(all);
  std::vector<microseconds> lengths;
  std::set<std::int64_t> periods;
  double x = 0;
  double y = 0;
  for (const timed_trip& each : trips) {
    if (each.took < made.median_trip + least_stall) continue;
    // A quota is given back at the same place in each period: the ends tell, the beginnings depend on the
    // work.
    const microseconds end = each.at + each.took;
    const double turn = 2 * std::numbers::pi * static_cast<double>((end % quota_period).count()) /
                        static_cast<double>(quota_period.count());
    x += std::cos(turn);
    y += std::sin(turn);
    lengths.push_back(each.took);
    periods.insert(end / quota_period);
  }
  if (lengths.empty()) return made;
  made.stalls = lengths.size();
  made.periods = periods.size();
  made.spanned = static_cast<std::size_t>(*periods.rbegin() - *periods.begin()) + 1;
  made.alignment = std::hypot(x, y) / static_cast<double>(lengths.size());
  made.typical = median(std::move(lengths));
  return made;
}

}  // namespace trunkline::doctor
