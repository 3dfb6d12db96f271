#include "access/policy.h"

#include <algorithm>

namespace trunkline::access {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::local_seconds;
using std::chrono::minutes;
using std::chrono::sys_seconds;

bool on_day(const config::access_hours& of, local_days day) {
  const unsigned since_monday = std::chrono::weekday(day).iso_encoding() - 1;
  return (of.days >> since_monday & 1U) != 0;
}

/// When the window ends that began on that day, and holds then.
std::optional<local_seconds> window_end(const config::access_hours& of, local_days day, local_seconds when) {
  const minutes length = of.until - of.from + (of.until < of.from ? minutes(hours(24)) : minutes(0));
  const auto begin = day + of.from;
  if (!on_day(of, day) || when < begin || when >= begin + length) return std::nullopt;
  return begin + length;
}

/// The end of those that hold then.
std::optional<local_seconds> end_at(const config::access_hours& of, local_seconds when) {
  const auto today = floor<days>(when);
  const auto end = window_end(of, today, when);
  return end ? end : window_end(of, today - days(1), when);
}

local_seconds local_time(const config::time_zone& zone, sys_seconds when) {
  return local_seconds((when + zone.offset(when)).time_since_epoch());
}

}  // namespace

bool policy::open_at(wall_time when) const {
  if (!says.hours) return true;
  return end_at(*says.hours, local_time(zone, floor<std::chrono::seconds>(when))).has_value();
}

std::optional<wall_time> policy::closes_after(wall_time when) const {
  if (!says.hours) return std::nullopt;
  auto at = floor<std::chrono::seconds>(when);
  // Where one window follows another there may be no end; a week of them shows it.
  for (int window = 0; window < 16; ++window) {
    const auto end = end_at(*says.hours, local_time(zone, at));
    if (!end) return at;
    const sys_seconds as_utc(end->time_since_epoch());
    const auto guess = as_utc - zone.offset(at);
    at = std::max(as_utc - zone.offset(guess), at + std::chrono::seconds(1));
  }
  return std::nullopt;
}

}  // namespace trunkline::access
