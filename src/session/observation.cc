#include "session/observation.h"

#include <utility>

#include "base/limits.h"

namespace trunkline::session {

telemetry::route_metrics& observation::of_route(std::string_view route, std::string_view upstream) {
  // Only this thread adds to the list: it may look without the lock.
  for (const auto& each : routes_) {
    if (each->route == route && each->upstream == upstream) return *each;
  }
  auto made = std::make_unique<telemetry::route_metrics>();
  made->route = route;
  made->upstream = upstream;
  std::lock_guard lock(routes_mutex_);
  routes_.push_back(std::move(made));
  return *routes_.back();
}

std::vector<const telemetry::route_metrics*> observation::routes() const {
  std::lock_guard lock(routes_mutex_);
  std::vector<const telemetry::route_metrics*> all;
  for (const auto& each : routes_)
    all.push_back(each.get());
  return all;
}

std::unique_ptr<exchange_in_flight> observation::lend() {
  if (spare_.empty()) return std::make_unique<exchange_in_flight>();
  auto given = std::move(spare_.back());
  spare_.pop_back();
  return given;
}

void observation::give_back(std::unique_ptr<exchange_in_flight> used) {
  if (spare_.size() >= limits::spare_exchanges) return;
  used->timer.forget_stalls();
  used->head.clear();
  used->requests.clear();
  used->answers.clear();
  used->small.clear();
  spare_.push_back(std::move(used));
}

}  // namespace trunkline::session
