#include "admin/path_page.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "admin/json.h"
#include "admin/query.h"
#include "base/seconds.h"

namespace trunkline::admin {
namespace {

using telemetry::route_metrics;
using telemetry::side_count;
using telemetry::side_names;

/// What the workers hold of one route.
using route_parts = std::vector<const route_metrics*>;

template <class Pick>
std::uint64_t total_of(const route_parts& of, Pick pick) {
  std::uint64_t made = 0;
  for (const route_metrics* each : of)
    made += pick(*each);
  return made;
}

/// A histogram of all workers.
struct distribution {
  std::vector<std::uint64_t> buckets;
  std::span<const std::int64_t> bounds_ns;
  std::uint64_t count = 0;
  std::uint64_t sum_ns = 0;
};

template <class Pick>
distribution gather(const route_parts& of, Pick pick) {
  using histogram = std::remove_cvref_t<decltype(pick(*of.front()))>;
  distribution made{.buckets = std::vector<std::uint64_t>(histogram::bucket_count),
                    .bounds_ns = histogram::bounds()};
  for (const route_metrics* each : of) {
    const histogram& from = pick(*each);
    for (std::size_t i = 0; i < made.buckets.size(); ++i) {
      made.buckets[i] += from.bucket(i);
      made.count += from.bucket(i);
    }
    made.sum_ns += from.sum_ns();
  }
  return made;
}

json seconds_json(std::int64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e9;
}

/// The upper bound of the bucket that holds it; null: it is beyond the last one, or there is nothing.
json quantile_json(const distribution& of, double share) {
  const auto wanted = static_cast<std::uint64_t>(static_cast<double>(of.count) * share);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < of.bounds_ns.size(); ++i) {
    below += of.buckets[i];
    if (below > wanted) return seconds_json(of.bounds_ns[i]);
  }
  return nullptr;
}

/// Buckets with a count: silences above `above` up to `upTo` seconds (null: without an end), and the timer
/// that is known to end connections there.
json idle_json(const distribution& of) {
  json made = json::array();
  for (std::size_t i = 0; i < of.buckets.size(); ++i) {
    if (of.buckets[i] == 0) continue;
    const bool last = i == of.bounds_ns.size();
    const auto* timer = last ? nullptr : telemetry::timer_near(static_cast<double>(of.bounds_ns[i]) / 1e9);
    made.push_back({{"above", i == 0 ? json(0.0) : seconds_json(of.bounds_ns[i - 1])},
                    {"upTo", last ? json(nullptr) : seconds_json(of.bounds_ns[i])},
                    {"sessions", of.buckets[i]},
                    {"suspect", timer == nullptr ? json(nullptr) : json(timer->suspect)}});
  }
  return made;
}

json closes_json(const route_parts& of) {
  json made = json::array();
  for (std::size_t i = 0; i < telemetry::cause_count; ++i) {
    const auto count = total_of(of, [i](const route_metrics& one) { return one.closes[i].value(); });
    const telemetry::close_cause cause{.what = static_cast<telemetry::cause>(i)};
    if (count > 0)
      made.push_back(
          {{"cause", name_of(cause.what)}, {"endedBy", name_of(cause.ended_by())}, {"sessions", count}});
  }
  return made;
}

json legs_json(const route_parts& of) {
  json made;
  for (std::size_t i = 0; i < side_count; ++i) {
    const auto rtt = gather(of, [i](const route_metrics& one) -> const auto& { return one.tcp_rtt[i]; });
    const auto idle =
        gather(of, [i](const route_metrics& one) -> const auto& { return one.idle_before_death[i]; });
    made[std::string(side_names[i])] = {
        {"rttSeconds",
         {{"samples", rtt.count},
          {"mean", rtt.count == 0
                       ? json(nullptr)
                       : json(static_cast<double>(rtt.sum_ns) / 1e9 / static_cast<double>(rtt.count))},
          {"p50", quantile_json(rtt, 0.5)},
          {"p99", quantile_json(rtt, 0.99)}}},
        {"retransmits",
         total_of(of, [i](const route_metrics& one) { return one.tcp_retransmits[i].value(); })},
        {"idleBeforeDeath", idle_json(idle)}};
  }
  return made;
}

json exchanges_json(const route_parts& of) {
  json made;
  for (std::size_t i = 0; i < telemetry::phase_count; ++i) {
    const auto seen =
        gather(of, [i](const route_metrics& one) -> const auto& { return one.exchange_seconds[i]; });
    if (i == 0) made["count"] = seen.count;
    made["seconds"][std::string(telemetry::phase_names[i])] = {
        {"sum", static_cast<double>(seen.sum_ns) / 1e9}, {"p99", quantile_json(seen, 0.99)}};
  }
  return made;
}

json routes_json(session::observer& seen) {
  std::map<std::pair<std::string_view, std::string_view>, route_parts> by_route;
  for (const route_metrics* each : seen.routes())
    by_route[{each->route, each->upstream}].push_back(each);
  json made = json::array();
  for (const auto& [name, of] : by_route)
    made.push_back({{"route", name.first},
                    {"upstream", name.second},
                    {"sessions", total_of(of, [](const auto& one) { return one.sessions_begun.value(); })},
                    {"open", total_of(of, [](const auto& one) { return one.open_sessions(); })},
                    {"closes", closes_json(of)},
                    {"legs", legs_json(of)},
                    {"exchanges", exchanges_json(of)}});
  return made;
}

struct endpoint_legs {
  std::uint64_t sessions = 0;
  std::uint64_t retransmits = 0;
  std::vector<double> rtts;
};

/// Of server legs that are open now.
json endpoints_json(const session::sessions_view& view) {
  std::map<std::pair<std::string_view, std::string_view>, endpoint_legs> by_endpoint;
  for (const auto& each : view.sessions) {
    if (each.endpoint.empty()) continue;
    endpoint_legs& into = by_endpoint[{each.upstream, each.endpoint}];
    ++into.sessions;
    if (!each.server_leg) continue;
    into.retransmits += each.server_leg->retransmits;
    into.rtts.push_back(each.server_leg->rtt_seconds);
  }
  json made = json::array();
  for (auto& [name, of] : by_endpoint) {
    std::ranges::sort(of.rtts);
    const bool none = of.rtts.empty();
    made.push_back({{"upstream", name.first},
                    {"endpoint", name.second},
                    {"sessions", of.sessions},
                    {"rttSeconds",
                     {{"least", none ? json(nullptr) : json(of.rtts.front())},
                      {"median", none ? json(nullptr) : json(of.rtts[of.rtts.size() / 2])},
                      {"most", none ? json(nullptr) : json(of.rtts.back())}}},
                    {"retransmits", of.retransmits}});
  }
  return made;
}

}  // namespace

http_response path_page(session::observer& seen, const http_request& request) {
  const query asked(request, {});
  if (asked.refusal()) return *asked.refusal();
  const auto view = seen.sessions();
  return json_response({{"started", rfc3339(seen.started())},
                        {"complete", view.complete},
                        {"routes", routes_json(seen)},
                        {"endpoints", endpoints_json(view)}});
}

}  // namespace trunkline::admin
