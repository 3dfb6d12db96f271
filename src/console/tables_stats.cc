// SHOW STATS and its kin: PgBouncer's `database` is the route here, its query an exchange.
#include <array>
#include <cmath>

#include "console/rows.h"
#include "console/tables.h"

namespace trunkline::console {

namespace {

using session::console_column;
using session::console_rows;
using enum session::console_type;

constexpr std::array stats_columns{
    console_column{"database", text},
    console_column{"total_xact_count", numeric},
    console_column{"total_query_count", numeric},
    console_column{"total_received", numeric},
    console_column{"total_sent", numeric},
    console_column{"total_xact_time", numeric},
    console_column{"total_query_time", numeric},
    console_column{"total_wait_time", numeric},
    console_column{"avg_xact_count", numeric},
    console_column{"avg_query_count", numeric},
    console_column{"avg_recv", numeric},
    console_column{"avg_sent", numeric},
    console_column{"avg_xact_time", numeric},
    console_column{"avg_query_time", numeric},
    console_column{"avg_wait_time", numeric},
    // PgBouncer 1.23 to 1.25
    console_column{"total_server_assignment_count", numeric},
    console_column{"total_client_parse_count", numeric},
    console_column{"total_server_parse_count", numeric},
    console_column{"total_bind_count", numeric},
    console_column{"total_client_connect_count", numeric},
    console_column{"avg_server_assignment_count", numeric},
    console_column{"avg_client_parse_count", numeric},
    console_column{"avg_server_parse_count", numeric},
    console_column{"avg_bind_count", numeric},
    console_column{"avg_client_connect_count", numeric},
    // PgBouncer before 1.8; Debian's exporter still reads the first
    console_column{"total_requests", numeric},
    console_column{"avg_req", numeric},
    console_column{"avg_query", numeric},
    // ours
    console_column{"total_failed_count", numeric},
    console_column{"avg_seconds", float8},
};

constexpr std::array totals_columns{
    console_column{"database", text},
    console_column{"xact_count", numeric},
    console_column{"query_count", numeric},
    console_column{"bytes_received", numeric},
    console_column{"bytes_sent", numeric},
    console_column{"xact_time", numeric},
    console_column{"query_time", numeric},
    console_column{"wait_time", numeric},
    // PgBouncer 1.23 to 1.25
    console_column{"server_assignment_count", numeric},
    console_column{"client_parse_count", numeric},
    console_column{"server_parse_count", numeric},
    console_column{"bind_count", numeric},
    console_column{"client_connect_count", numeric},
};

constexpr std::array name_value_columns{
    console_column{"name", text},
    console_column{"value", numeric},
};

/// Per second for counts and bytes; per transaction or query for times.
struct averages {
  std::uint64_t transactions = 0;
  std::uint64_t queries = 0;
  std::uint64_t received = 0;
  std::uint64_t sent = 0;
  std::uint64_t transaction_us = 0;
  std::uint64_t query_us = 0;
  std::uint64_t wait_us = 0;
  std::uint64_t sessions = 0;
  std::uint64_t assignments = 0;
};

std::uint64_t grown(std::uint64_t now, std::uint64_t then) {
  return now > then ? now - then : 0;
}

averages averages_of(const route_totals& now, const route_totals& then, double seconds) {
  const auto rate = [&](std::uint64_t growth) {
    return seconds > 0 ? static_cast<std::uint64_t>(std::llround(static_cast<double>(growth) / seconds)) : 0;
  };
  const auto each = [](std::uint64_t time, std::uint64_t count) { return count > 0 ? time / count : 0; };
  const std::uint64_t transactions = grown(now.transactions, then.transactions);
  const std::uint64_t queries = grown(now.queries, then.queries);
  return {.transactions = rate(transactions),
          .queries = rate(queries),
          .received = rate(grown(now.received, then.received)),
          .sent = rate(grown(now.sent, then.sent)),
          .transaction_us = each(grown(now.transaction_us, then.transaction_us), transactions),
          .query_us = each(grown(now.query_us, then.query_us), queries),
          .wait_us = rate(grown(now.wait_us, then.wait_us)),
          .sessions = rate(grown(now.sessions, then.sessions)),
          .assignments = rate(grown(now.assignments, then.assignments))};
}

struct route_figures {
  totals_by_route totals;
  stats_window::change change;

  averages average(const std::string& route) const {
    const auto then = change.since.find(route);
    return averages_of(totals.at(route), then == change.since.end() ? route_totals{} : then->second,
                       change.seconds);
  }
};

/// Of every route of the configuration, also where nothing came yet.
route_figures figures(sight& seen) {
  route_figures made;
  made.totals = totals_of(seen.from.routes());
  if (const auto settings = seen.from.settings()) {
    for (const auto& each : settings->routes)
      made.totals.try_emplace(each.name);
  }
  made.change = seen.stats.look(made.totals, seen.clock);
  return made;
}

console_rows stats_rows(sight& seen) {
  console_rows out;
  const route_figures all = figures(seen);
  for (const auto& [route, total] : all.totals) {
    const averages avg = all.average(route);
    row made;
    made.text(route).number(total.transactions).number(total.queries).number(total.received);
    made.number(total.sent).number(total.transaction_us).number(total.query_us).number(total.wait_us);
    made.number(avg.transactions).number(avg.queries).number(avg.received).number(avg.sent);
    made.number(avg.transaction_us).number(avg.query_us).number(avg.wait_us);
    made.number(total.assignments).nulls(3).number(total.sessions);
    made.number(avg.assignments).nulls(3).number(avg.sessions);
    made.number(total.queries).number(avg.queries).number(avg.query_us);
    made.number(total.failed).seconds(all.change.seconds);
    out.rows.push_back(made.take());
  }
  return out;
}

console_rows stats_totals_rows(sight& seen) {
  console_rows out;
  for (const auto& [route, total] : figures(seen).totals) {
    row made;
    made.text(route).number(total.transactions).number(total.queries).number(total.received);
    made.number(total.sent).number(total.transaction_us).number(total.query_us).number(total.wait_us);
    made.number(total.assignments).nulls(3).number(total.sessions);
    out.rows.push_back(made.take());
  }
  return out;
}

console_rows stats_averages_rows(sight& seen) {
  console_rows out;
  const route_figures all = figures(seen);
  for (const auto& [route, total] : all.totals) {
    const averages avg = all.average(route);
    row made;
    made.text(route).number(avg.transactions).number(avg.queries).number(avg.received).number(avg.sent);
    made.number(avg.transaction_us).number(avg.query_us).number(avg.wait_us);
    made.number(avg.assignments).nulls(3).number(avg.sessions);
    out.rows.push_back(made.take());
  }
  return out;
}

console_rows totals_rows(sight& seen) {
  const route_figures all = figures(seen);
  route_totals total;
  route_totals then;
  for (const auto& [route, each] : all.totals)
    total.add(each);
  for (const auto& [route, each] : all.change.since)
    then.add(each);
  const averages avg = averages_of(total, then, all.change.seconds);
  const std::pair<std::string_view, std::uint64_t> lines[] = {
      {"total_xact_count", total.transactions},
      {"total_query_count", total.queries},
      {"total_client_bytes", total.received},
      {"total_server_bytes", total.sent},
      {"total_xact_time", total.transaction_us},
      {"total_query_time", total.query_us},
      {"total_wait_time", total.wait_us},
      {"avg_xact_count", avg.transactions},
      {"avg_query_count", avg.queries},
      {"avg_client_bytes", avg.received},
      {"avg_server_bytes", avg.sent},
      {"avg_xact_time", avg.transaction_us},
      {"avg_query_time", avg.query_us},
      {"avg_wait_time", avg.wait_us},
      {"total_server_assignment_count", total.assignments},
      {"avg_server_assignment_count", avg.assignments},
      {"total_failed_count", total.failed},
      {"not_postgres", seen.from.not_postgres()},
      {"config_reload_failures", seen.from.config_reload_failures()},
  };
  console_rows out;
  for (const auto& [name, value] : lines)
    out.rows.push_back(row().text(name).number(value).take());
  for (const auto& [result, count] : seen.from.cancels())
    out.rows.push_back(row().text("cancels_" + result).number(count).take());
  return out;
}

constexpr std::array stats_list{
    table{"STATS", "exchanges, bytes and times of each route, in all and on average", stats_columns,
          &stats_rows},
    table{"STATS_AVERAGES", "the averages of SHOW STATS", totals_columns, &stats_averages_rows},
    table{"STATS_TOTALS", "the totals of SHOW STATS", totals_columns, &stats_totals_rows},
    table{"TOTALS", "the sums over all routes", name_value_columns, &totals_rows},
};

}  // namespace

std::span<const table> stats_tables() {
  return stats_list;
}

}  // namespace trunkline::console
