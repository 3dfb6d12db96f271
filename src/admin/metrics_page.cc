#include "admin/metrics_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "admin/pool_metrics_page.h"
#include "admin/process_facts.h"
#include "base/seconds.h"
#include "telemetry/route_exposition.h"

namespace trunkline::admin {
namespace {

namespace metric = telemetry::metric;
using telemetry::metrics_writer;

void one(metrics_writer& out, const telemetry::metric_family& which, std::uint64_t value) {
  out.family(which);
  out.sample({}, value);
}

void one(metrics_writer& out, const telemetry::metric_family& which, double value) {
  out.family(which);
  out.sample({}, value);
}

void write_cancels(metrics_writer& out, session::observer& seen) {
  out.family(metric::cancels);
  std::map<std::string, std::uint64_t> results;
  for (const auto& [result, count] : seen.cancels())
    results[result] += count;
  for (const auto& [result, count] : results)
    out.sample({{"result", result}}, count);
}

void write_rbac(metrics_writer& out, session::observer& seen) {
  out.family(metric::rbac_reviews);
  for (const auto& [result, count] : seen.rbac_reviews())
    out.sample({{"result", result}}, count);
}

using upstream_list = std::vector<session::upstream_view>;

template <class Value>
void write_upstream_metric(metrics_writer& out, const telemetry::metric_family& which,
                           const upstream_list& all, Value value) {
  out.family(which);
  for (const auto& each : all)
    out.sample({{"upstream", each.name}}, value(each));
}

template <class Write>
void for_each_endpoint(metrics_writer& out, const telemetry::metric_family& which, const upstream_list& all,
                       Write write) {
  out.family(which);
  for (const auto& upstream : all) {
    for (const auto& each : upstream.endpoints) {
      // One that leaves may have the name of one that has come: one series cannot be both.
      const bool hidden =
          each.state == "leaving" &&
          std::any_of(upstream.endpoints.begin(), upstream.endpoints.end(),
                      [&](const auto& other) { return &other != &each && other.name == each.name; });
      if (!hidden) write(upstream.name, each);
    }
  }
}

template <class Value>
void write_endpoint_metric(metrics_writer& out, const telemetry::metric_family& which,
                           const upstream_list& all, Value value) {
  for_each_endpoint(out, which, all, [&](const std::string& upstream, const session::endpoint_view& each) {
    out.sample({{"upstream", upstream}, {"endpoint", each.name}}, value(each));
  });
}

void write_endpoint_states(metrics_writer& out, const upstream_list& all) {
  using session::endpoint_view;
  for_each_endpoint(
      out, metric::endpoint_up, all, [&](const std::string& upstream, const endpoint_view& each) {
        if (each.state == "unknown") return;  // nobody asks it
        out.sample({{"upstream", upstream}, {"endpoint", each.name}}, std::uint64_t{each.state == "up"});
      });
  for_each_endpoint(out, metric::endpoint_role, all,
                    [&](const std::string& upstream, const endpoint_view& each) {
                      for (const std::string_view role : {"primary", "replica", "superseded", "unknown"}) {
                        out.sample({{"upstream", upstream}, {"endpoint", each.name}, {"role", role}},
                                   std::uint64_t{each.role == role});
                      }
                    });
  for_each_endpoint(out, metric::replica_lag, all,
                    [&](const std::string& upstream, const endpoint_view& each) {
                      if (each.lag_seconds)
                        out.sample({{"upstream", upstream}, {"endpoint", each.name}}, *each.lag_seconds);
                    });
}

void write_discovery_age(metrics_writer& out, const upstream_list& all) {
  const auto is_asked = [](const auto& each) { return each.discovery_age_seconds.has_value(); };
  if (std::none_of(all.begin(), all.end(), is_asked)) return;
  out.family(metric::discovery_age);
  for (const auto& each : all)
    if (is_asked(each)) out.sample({{"upstream", std::string_view(each.name)}}, *each.discovery_age_seconds);
}

void write_upstreams(metrics_writer& out, const upstream_list& all) {
  using session::endpoint_view;
  using session::upstream_view;
  write_endpoint_states(out, all);
  write_endpoint_metric(out, metric::endpoint_sessions, all,
                        [](const endpoint_view& of) { return of.sessions; });
  write_endpoint_metric(out, metric::logins_waiting, all,
                        [](const endpoint_view& of) { return of.logins_waiting; });
  write_endpoint_metric(out, metric::endpoint_ejected, all,
                        [](const endpoint_view& of) { return std::uint64_t{of.ejected_seconds > 0}; });
  write_upstream_metric(out, metric::held_sessions, all, [](const upstream_view& of) { return of.held; });
  write_upstream_metric(out, metric::hold_seconds, all,
                        [](const upstream_view& of) { return of.held_seconds; });
  write_upstream_metric(out, metric::holds, all, [](const upstream_view& of) { return of.holds; });
  write_upstream_metric(out, metric::failovers, all, [](const upstream_view& of) { return of.failovers; });
  write_upstream_metric(out, metric::failover_gap, all,
                        [](const upstream_view& of) { return of.last_gap_seconds; });
  write_upstream_metric(out, metric::upstream_paused, all,
                        [](const upstream_view& of) { return std::uint64_t{of.paused}; });
  write_upstream_metric(out, metric::topology_changes, all,
                        [](const upstream_view& of) { return of.generation; });
  write_upstream_metric(out, metric::discovery_failures, all,
                        [](const upstream_view& of) { return of.discovery_failures; });
  write_discovery_age(out, all);
}

void write_audit(metrics_writer& out, const session::audit_view& audit) {
  one(out, metric::audit_enabled, std::uint64_t{audit.enabled});
  one(out, metric::audit_blocked, std::uint64_t{audit.blocked});
  one(out, metric::audit_events, audit.events);
  one(out, metric::audit_dropped, audit.dropped);
  one(out, metric::audit_lag, audit.lag_seconds);
}

void write_access(metrics_writer& out, const session::access_view& access) {
  if (!access.enabled) return;
  one(out, metric::access_requests, std::uint64_t{access.open});
  one(out, metric::access_grants, std::uint64_t{access.active});
  one(out, metric::access_waiting, access.waiting);
  out.family(metric::access_changes);
  for (const auto& [change, count] : access.changes)
    out.sample({{"change", change}}, count);
  one(out, metric::access_refused, access.refused);
  one(out, metric::access_store_up, std::uint64_t{access.works});
  one(out, metric::access_roles, std::uint64_t{access.roles});
  out.family(metric::access_role_changes);
  for (const auto& [change, count] : access.role_changes)
    out.sample({{"change", change}}, count);
  one(out, metric::webhooks_delivered, access.hooks_delivered);
  one(out, metric::webhooks_lost, access.hooks_lost);
}

void write_objects(metrics_writer& out, const session::objects_view& objects) {
  if (!objects.enabled) return;
  out.family(metric::kubernetes_objects);
  for (const auto& each : objects.kinds) {
    out.sample({{"kind", each.kind}, {"state", "accepted"}}, std::uint64_t{each.accepted});
    out.sample({{"kind", each.kind}, {"state", "refused"}}, std::uint64_t{each.refused});
  }
  out.family(metric::kubernetes_objects_age);
  for (const auto& each : objects.kinds)
    if (each.age_seconds) out.sample({{"kind", each.kind}}, *each.age_seconds);
  one(out, metric::kubernetes_leader, std::uint64_t{objects.leads});
}

template <class Value>
void write_workers(metrics_writer& out, const telemetry::metric_family& which, std::size_t count,
                   Value value) {
  out.family(which);
  for (std::size_t i = 0; i < count; ++i)
    out.sample({{"worker", fmt::format("{}", i)}}, value(i));
}

void write_workers(metrics_writer& out, session::observer& seen, const metrics_moment& at) {
  const auto workers = seen.workers();
  write_workers(out, metric::worker_busy_ratio, std::min(at.busy.size(), workers.size()),
                [&](std::size_t i) { return at.busy[i]; });
  write_workers(out, metric::worker_busy, workers.size(),
                [&](std::size_t i) { return static_cast<double>(workers[i]->busy_ns.value()) / 1e9; });
  write_workers(out, metric::worker_turns, workers.size(),
                [&](std::size_t i) { return workers[i]->turns.value(); });
  write_workers(out, metric::worker_silence, workers.size(), [&](std::size_t i) {
    const std::chrono::nanoseconds beat(workers[i]->heartbeat_ns.load(std::memory_order_relaxed));
    return beat.count() == 0 ? 0.0 : std::max(0.0, seconds_of(at.now.time_since_epoch() - beat));
  });
}

/// Certificates that differ in neither label would be one series: the one that expires first counts.
void write_certificates(metrics_writer& out, session::observer& seen, const metrics_moment& at) {
  std::map<std::pair<std::string, std::string>, double> left;
  for (const auto& each : seen.certificates()) {
    const double remaining = seconds_of(each.expires - at.date);
    const auto [found, fresh] = left.try_emplace({each.listener, each.subject}, remaining);
    if (!fresh) found->second = std::min(found->second, remaining);
  }
  out.family(metric::certificate_expiry);
  for (const auto& [labels, remaining] : left)
    out.sample({{"listener", labels.first}, {"subject", labels.second}}, remaining);
}

void write_process(metrics_writer& out, session::observer& seen) {
  const auto facts = read_process_facts();
  one(out, metric::process_start, seconds_of(seen.started().time_since_epoch()));
  one(out, metric::process_cpu, facts.cpu_seconds);
  one(out, metric::process_resident, facts.resident_bytes);
  one(out, metric::process_virtual, facts.virtual_bytes);
  one(out, metric::process_open_files, facts.open_files);
  one(out, metric::process_max_files, facts.max_files);
}

}  // namespace

std::string metrics_page(session::observer& seen, const metrics_moment& at,
                         telemetry::metrics_format format) {
  metrics_writer out(format);
  telemetry::write_routes(out, seen.routes());
  write_cancels(out, seen);
  write_rbac(out, seen);
  write_upstreams(out, seen.upstreams());
  write_pools(out, seen);
  write_audit(out, seen.audit());
  write_access(out, seen.access());
  write_objects(out, at.objects);
  write_workers(out, seen, at);
  const auto settings = seen.settings();
  one(out, metric::ready, std::uint64_t{seen.ready()});
  one(out, metric::draining, std::uint64_t{seen.draining()});
  one(out, metric::not_postgres, seen.not_postgres());
  one(out, metric::config_generation, settings == nullptr ? 0 : settings->generation);
  one(out, metric::config_reload_failures, seen.config_reload_failures());
  write_certificates(out, seen, at);
  out.family(metric::build);
  out.sample({{"version", at.version}}, std::uint64_t{1});
  write_process(out, seen);
  return out.finish();
}

}  // namespace trunkline::admin
