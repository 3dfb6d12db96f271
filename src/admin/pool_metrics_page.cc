#include "admin/pool_metrics_page.h"

#include <array>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace trunkline::admin {
namespace {

namespace metric = telemetry::metric;
using telemetry::metrics_writer;

/// Upstream, target, database, user: pools that differ in less are one series.
using pool_name = std::tuple<std::string, std::string, std::string, std::string>;
using pools_by_name = std::map<pool_name, session::pool_view>;

/// The oldest pools by their names, the rest of each upstream and target as "other".
pools_by_name named(const std::vector<session::pool_view>& all) {
  pools_by_name made;
  for (const auto& each : all) {
    pool_name name{each.upstream, each.target, each.database, each.user};
    if (made.size() >= limits::pool_series && !made.contains(name))
      name = {each.upstream, each.target, "other", "other"};
    made[name].add(each);
  }
  return made;
}

template <class Value>
void write(metrics_writer& out, const telemetry::metric_family& which, const pools_by_name& all,
           Value value) {
  out.family(which);
  for (const auto& [name, of] : all) {
    const auto& [upstream, target, database, user] = name;
    out.sample({{"upstream", upstream}, {"target", target}, {"database", database}, {"user", user}},
               value(of));
  }
}

void write_connections(metrics_writer& out, const pools_by_name& all) {
  out.family(metric::pool_connections);
  for (const auto& [name, of] : all) {
    const auto& [upstream, target, database, user] = name;
    const std::pair<std::string_view, std::uint64_t> states[] = {{"active", of.sv_active},
                                                                 {"idle", of.sv_idle},
                                                                 {"opening", of.sv_login},
                                                                 {"resetting", of.sv_tested}};
    for (const auto& [state, count] : states) {
      out.sample({{"upstream", upstream},
                  {"target", target},
                  {"database", database},
                  {"user", user},
                  {"state", state}},
                 count);
    }
  }
}

/// Each is one worker's.
void write_waits(metrics_writer& out, const std::vector<const telemetry::pool_metrics*>& parts) {
  using waits = telemetry::latency_histogram;
  struct sum {
    std::array<std::uint64_t, waits::bucket_count> buckets{};
    std::uint64_t ns = 0;
  };
  std::map<std::string_view, sum> by_upstream;
  for (const auto* each : parts) {
    sum& of = by_upstream[each->upstream];
    for (std::size_t i = 0; i < of.buckets.size(); ++i)
      of.buckets[i] += each->wait_seconds.bucket(i);
    of.ns += each->wait_seconds.sum_ns();
  }
  out.family(metric::pool_wait_seconds);
  for (const auto& [upstream, of] : by_upstream)
    out.distribution({{"upstream", upstream}}, waits::bounds(), of.buckets, of.ns);
}

}  // namespace

void write_pools(metrics_writer& out, session::observer& seen) {
  using session::pool_view;
  const pools_by_name all = named(seen.pools());
  write_connections(out, all);
  write(out, metric::pool_size, all, [](const pool_view& of) { return of.size; });
  write(out, metric::pool_waiting_clients, all, [](const pool_view& of) { return of.cl_waiting; });
  write(out, metric::pool_notifications_missed, all, [](const pool_view& of) { return of.listen_missed; });
  write_waits(out, seen.pool_counts());
}

}  // namespace trunkline::admin
