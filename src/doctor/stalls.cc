#include "doctor/stalls.h"

#include <algorithm>
#include <set>

#include "doctor/figures.h"

namespace trunkline::doctor {
namespace {

/// How far from each other ends of one place may be.
constexpr microseconds near{8'000};

bool is_near(microseconds one, microseconds other) {
  const microseconds apart = std::max(one, other) % quota_period - std::min(one, other) % quota_period;
  const microseconds distance = apart < microseconds(0) ? -apart : apart;
  return std::min(distance, quota_period - distance) <= near;
}

/// Those that end where most of them do within their period.
std::vector<microseconds> aligned(const std::vector<microseconds>& ends) {
  std::vector<microseconds> best;
  for (const microseconds place : ends) {
    std::vector<microseconds> here;
    std::ranges::copy_if(ends, std::back_inserter(here),
                         [&](microseconds end) { return is_near(end, place); });
    if (here.size() > best.size()) best = std::move(here);
  }
  return best;
}

}  // namespace

bool stall_pattern::is_quota() const {
  constexpr std::size_t enough = 8;
  return periods >= enough && 10 * periods >= 9 * spanned && 3 * alignment >= 2 && typical < quota_period;
}

stall_pattern pattern_of(const std::vector<timed_trip>& trips) {
  stall_pattern made;
  std::vector<microseconds> all;
  for (const timed_trip& each : trips)
    all.push_back(each.took);
  made.median_trip = median(all);
  std::vector<microseconds> lengths;
  std::vector<microseconds> ends;
  for (const timed_trip& each : trips) {
    if (each.took < made.median_trip + least_stall) continue;
    // A quota is given back at the same place in each period: the ends tell, the beginnings depend on the
    // work.
    ends.push_back(each.at + each.took);
    lengths.push_back(each.took);
  }
  if (ends.empty()) return made;
  const std::vector<microseconds> together = aligned(ends);
  std::set<std::int64_t> periods;
  for (const microseconds end : together)  // counted from the place itself, so that none lies on a border
    periods.insert((end - together.front() + 100 * quota_period + quota_period / 2) / quota_period);
  made.stalls = ends.size();
  made.periods = periods.size();
  made.spanned = static_cast<std::size_t>(*periods.rbegin() - *periods.begin()) + 1;
  made.alignment = static_cast<double>(together.size()) / static_cast<double>(ends.size());
  made.typical = median(std::move(lengths));
  return made;
}

}  // namespace trunkline::doctor
