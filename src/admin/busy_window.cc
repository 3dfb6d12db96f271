#include "admin/busy_window.h"

#include <algorithm>

#include "base/limits.h"

namespace trunkline::admin {

void busy_window::sample(std::chrono::steady_clock::time_point now,
                         std::span<const telemetry::worker_metrics* const> workers) {
  moment seen{.when = now, .busy_ns = {}};
  for (const auto* each : workers)
    seen.busy_ns.push_back(each->busy_ns.value());
  std::lock_guard lock(mutex_);
  moments_.push_back(std::move(seen));
  while (moments_.size() > 2 && now - moments_[1].when >= limits::busy_window)
    moments_.pop_front();
}

std::vector<double> busy_window::ratios() const {
  std::lock_guard lock(mutex_);
  if (moments_.size() < 2) return {};
  const moment& first = moments_.front();
  const moment& last = moments_.back();
  const auto span = std::chrono::duration<double, std::nano>(last.when - first.when).count();
  std::vector<double> made(last.busy_ns.size(), 0.0);
  for (std::size_t i = 0; i < std::min(first.busy_ns.size(), made.size()) && span > 0; ++i)
    made[i] = std::clamp(static_cast<double>(last.busy_ns[i] - first.busy_ns[i]) / span, 0.0, 1.0);
  return made;
}

}  // namespace trunkline::admin
