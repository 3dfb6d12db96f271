#include "console/stats_window.h"

#include <algorithm>

#include "base/limits.h"
#include "base/seconds.h"

namespace trunkline::console {

namespace {

using telemetry::phase;

template <class Histogram>
std::uint64_t count_of(const Histogram& from) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < Histogram::bucket_count; ++i)
    count += from.bucket(i);
  return count;
}

std::uint64_t micros(std::uint64_t ns) {
  return ns / 1'000;
}

}  // namespace

void route_totals::add(const route_totals& other) {
  transactions += other.transactions;
  queries += other.queries;
  received += other.received;
  sent += other.sent;
  transaction_us += other.transaction_us;
  query_us += other.query_us;
  wait_us += other.wait_us;
  sessions += other.sessions;
  assignments += other.assignments;
  failed += other.failed;
}

totals_by_route totals_of(const std::vector<const telemetry::route_metrics*>& routes) {
  totals_by_route all;
  for (const telemetry::route_metrics* each : routes) {
    if (each->route.empty()) continue;  // the console, and who came to no route
    route_totals one;
    // Read before the exchanges: a gap always belongs to one that is counted.
    const std::uint64_t gaps = count_of(each->idle_in_transaction);
    for (std::size_t i = 0; i < telemetry::outcome_count; ++i) {
      const std::uint64_t count = each->exchanges[i].value();
      one.queries += count;
      if (i != static_cast<std::size_t>(telemetry::outcome::ok)) one.failed += count;
    }
    one.transactions = one.queries - std::min(gaps, one.queries);
    // client_stall is left out: it overlaps the transfer.
    for (const phase which : {phase::gateway, phase::wait, phase::network, phase::server, phase::transfer}) {
      one.query_us += micros(each->exchange_seconds[static_cast<std::size_t>(which)].sum_ns());
    }
    one.transaction_us = one.query_us + micros(each->idle_in_transaction.sum_ns());
    one.wait_us = micros(each->exchange_seconds[static_cast<std::size_t>(phase::wait)].sum_ns());
    one.received = each->bytes_received[static_cast<std::size_t>(telemetry::side::client)].value();
    one.sent = each->bytes_received[static_cast<std::size_t>(telemetry::side::server)].value();
    one.sessions = each->sessions_begun.value();
    one.assignments = each->assignments.value();
    all[each->route].add(one);
  }
  return all;
}

stats_window::change stats_window::look(const totals_by_route& totals, time_point now) {
  if (now - newer_.when >= limits::console_stats_period) {
    older_ = std::move(newer_);
    newer_ = {now, totals};
  }
  return {older_.totals, seconds_of(now - older_.when)};
}

}  // namespace trunkline::console
