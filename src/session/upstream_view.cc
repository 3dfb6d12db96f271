#include <algorithm>

#include "base/seconds.h"
#include "pool/cluster.h"
#include "session/observer.h"

namespace trunkline::session {
namespace {

std::string joined(const std::vector<net::socket_address>& addresses) {
  std::string all;
  for (const auto& each : addresses)
    all += (all.empty() ? "" : ", ") + each.text();
  return all;
}

endpoint_view view_of(const routing::endpoint& known, const pool::member& shared, routing::moment now) {
  endpoint_view seen;
  seen.name = known.name;
  seen.zone = known.zone;
  seen.state = known.leaving ? "leaving" : routing::name_of(known.state);
  seen.role = routing::name_of(known.role);
  seen.said = known.said;
  seen.system_identifier = known.system_identifier;
  seen.timeline = known.timeline;
  seen.version = known.version;
  if (known.lag) seen.lag_seconds = seconds_of(*known.lag);
  seen.lag_bytes = known.lag_bytes;
  seen.since_seconds = seconds_of(now - known.since);
  if (known.asked != routing::moment{}) seen.asked_seconds = seconds_of(now - known.asked);
  seen.ejected_seconds = std::max(0.0, seconds_of(shared.ejected_until() - now));
  seen.sessions = shared.sessions.load(std::memory_order_relaxed);
  seen.logins_waiting = shared.line.waiting();
  seen.logins_under_way = shared.line.under_way();
  return seen;
}

}  // namespace

upstream_view view_of(const pool::cluster& of, routing::moment now) {
  const auto view = of.now();
  upstream_view seen;
  seen.name = of.name();
  seen.generation = view->known.generation;
  if (const auto* primary = view->known.primary()) seen.primary = primary->name;
  seen.paused = view->paused;
  seen.discovery_problem = view->known.discovery_problem;
  seen.discovery_failures = of.discovery_failures();
  if (const auto feed = of.feed()) {
    if (const auto confirmed = feed->confirmed()) seen.discovery_age_seconds = seconds_of(now - *confirmed);
  }
  seen.held = of.held_now();
  seen.holds = of.holds();
  seen.held_seconds = static_cast<double>(of.held_us()) / 1e6;
  seen.failovers = of.gaps();
  seen.last_gap_seconds = static_cast<double>(of.last_gap_us()) / 1e6;
  for (std::size_t i = 0; i < view->members.size(); ++i) {
    seen.endpoints.push_back(view_of(view->known.endpoints[i], *view->members[i], now));
    seen.endpoints.back().addresses = joined(view->addresses[i]);
  }
  return seen;
}

}  // namespace trunkline::session
