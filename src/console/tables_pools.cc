// SHOW POOLS, USERS, LISTS, PINNED and PREPARED: what there is of clients and servers together, and what
// keeps them together.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/limits.h"
#include "console/rows.h"
#include "console/tables.h"
#include "console/told_statement.h"

namespace trunkline::console {

namespace {

using session::console_column;
using session::console_rows;
using session::pool_view;
using session::session_view;
using enum session::console_type;

bool logged_in(const session_view& of) {
  return of.state != "login";
}

// ---- pools ----

constexpr std::array pool_columns{
    console_column{"database", text},
    console_column{"user", text},
    console_column{"cl_active", int4},
    console_column{"cl_waiting", int4},
    console_column{"cl_active_cancel_req", int4},
    console_column{"cl_waiting_cancel_req", int4},
    console_column{"sv_active", int4},
    console_column{"sv_active_cancel", int4},
    console_column{"sv_being_canceled", int4},
    console_column{"sv_idle", int4},
    console_column{"sv_used", int4},
    console_column{"sv_tested", int4},
    console_column{"sv_login", int4},
    console_column{"maxwait", int4},
    console_column{"maxwait_us", int4},
    console_column{"pool_mode", text},
    // PgBouncer 1.24
    console_column{"load_balance_hosts", text},
    // ours
    console_column{"route", text},
    console_column{"in_exchange", int4},
    console_column{"in_transaction", int4},
    console_column{"longest_exchange_seconds", float8},
    console_column{"upstream", text},
    console_column{"pool_size", int4},
    console_column{"pools", int4},
    console_column{"waits", int8},
    console_column{"waited_seconds", float8},
};

/// The clients and servers of a database and user: pools of shared connections, and sessions that each have
/// their own.
struct pool_row {
  pool_view sums;
  std::uint64_t pools = 0;  ///< of shared connections
  std::uint64_t busy = 0;
  std::uint64_t in_transaction = 0;
  double longest_exchange = 0;
  std::string route;
};

using pools_by_name = std::map<std::pair<std::string, std::string>, pool_row>;

std::set<std::string_view> pooled_routes(const config::snapshot& settings) {
  std::set<std::string_view> names;
  if (settings == nullptr) return names;
  for (const auto& each : settings->routes)
    if (each.pooling != config::pooling_mode::off) names.insert(each.name);
  return names;
}

/// Clients of pools are in the pools' figures already, also those that wait during their login.
pool_view share_of(const session_view& each, const std::set<std::string_view>& pooled) {
  pool_view made;
  if (each.pooled) return made;
  const bool here = logged_in(each);
  if (!here && pooled.contains(each.route)) return made;
  (here ? made.cl_active : made.cl_waiting) = 1;
  if (!each.endpoint.empty()) (here ? made.sv_active : made.sv_login) = 1;
  if (!here) made.maxwait_us = static_cast<std::uint64_t>(each.seconds * 1e6);
  return made;
}

pools_by_name pools_of(sight& seen, const session::sessions_view& all) {
  pools_by_name made;
  const auto settings = seen.from.settings();
  const auto pooled = pooled_routes(settings);
  for (const session_view& each : all.sessions) {
    auto& in =
        each.pooled ? made[{each.pooled->database, each.pooled->user}] : made[{each.database, each.user}];
    in.sums.add(share_of(each, pooled));
    in.longest_exchange = std::max(in.longest_exchange, each.exchange_seconds);
    in.busy += each.exchange_seconds > 0 ? 1 : 0;
    in.in_transaction += each.transaction_status == 'T' || each.transaction_status == 'E' ? 1 : 0;
    if (in.route.empty()) in.route = each.route;
  }
  for (const pool_view& each : seen.from.pools()) {
    auto& in = made[{each.database, each.user}];
    in.sums.add(each);
    in.pools += 1;
    if (in.route.empty()) in.route = each.route;
    if (in.sums.upstream.empty()) in.sums.upstream = each.upstream;
    if (in.sums.pool_mode.empty()) in.sums.pool_mode = each.pool_mode;
  }
  return made;
}

console_rows pool_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const auto& [name, each] : pools_of(seen, all)) {
    const pool_view& of = each.sums;
    row made;
    made.text(name.first).text(name.second);
    made.small(of.cl_active).small(of.cl_waiting).number(0).number(0);
    made.small(of.sv_active).number(0).number(0).small(of.sv_idle).number(0).small(of.sv_tested);
    made.small(of.sv_login).small(of.maxwait_us / 1'000'000).small(of.maxwait_us % 1'000'000);
    made.text(of.pool_mode.empty() ? "session" : of.pool_mode).null();
    made.text_or_null(each.route).small(each.busy).small(each.in_transaction).seconds(each.longest_exchange);
    made.text_or_null(of.upstream).small(of.size).small(each.pools).number(of.waits);
    made.seconds(static_cast<double>(of.waited_us) / 1e6);
    out.rows.push_back(made.take());
  }
  return out;
}

// ---- users and lists ----

constexpr std::array user_columns{
    console_column{"name", text},
    console_column{"pool_mode", text},
    // PgBouncer 1.23 to 1.25
    console_column{"pool_size", text},
    console_column{"reserve_pool_size", text},
    console_column{"max_user_connections", int4},
    console_column{"current_connections", int4},
    console_column{"max_user_client_connections", int4},
    console_column{"current_client_connections", int4},
};

struct user_row {
  std::uint64_t clients = 0;
  std::uint64_t servers = 0;
  std::string mode;
};

console_rows user_rows(sight& seen) {
  const auto all = seen.from.sessions();
  std::map<std::string, user_row> users;
  for (const session_view& each : all.sessions) {
    user_row& of = users[each.user];
    of.clients += 1;
    if (!each.pooled) of.servers += each.endpoint.empty() ? 0 : 1;
    if (each.pooled) of.mode = each.pooled->mode;
  }
  for (const pool_view& each : seen.from.pools())
    users[each.user].servers += each.servers();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const auto& [name, of] : users) {
    row made;
    made.text(name).text(of.mode.empty() ? "session" : of.mode).text("").text("");
    made.number(0).small(of.servers).number(0).small(of.clients);
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array list_columns{
    console_column{"list", text},
    console_column{"items", int4},
};

console_rows list_rows(sight& seen) {
  const auto all = seen.from.sessions();
  const auto settings = seen.from.settings();
  std::set<std::string_view> users;
  std::uint64_t logins = 0;
  for (const session_view& each : all.sessions) {
    users.insert(each.user);
    logins += logged_in(each) ? 0 : 1;
  }
  pool_view sums;
  std::uint64_t pinned = 0;
  const auto pools = pools_of(seen, all);
  for (const auto& each : pools)
    sums.add(each.second.sums);
  for (const session_view& each : all.sessions)
    pinned += each.pooled && !each.pooled->pinned.empty() ? 1 : 0;
  const std::pair<std::string_view, std::uint64_t> lines[] = {
      {"databases", settings ? settings->routes.size() : 0},
      {"users", users.size()},
      {"pools", pools.size()},
      {"free_clients", 0},
      {"used_clients", all.sessions.size()},
      {"login_clients", logins},
      {"free_servers", sums.sv_idle},
      {"used_servers", sums.sv_active + sums.sv_login + sums.sv_tested},
      {"dns_names", 0},
      {"dns_zones", 0},
      {"dns_queries", 0},
      {"dns_pending", 0},
      {"peers", 0},
      {"peer_pools", 0},
      {"routes", settings ? settings->routes.size() : 0},
      {"upstreams", settings ? settings->upstreams.size() : 0},
      {"listeners", settings ? settings->listeners.size() : 0},
      {"workers", seen.from.workers().size()},
      {"waiting_clients", sums.cl_waiting},
      {"pinned_sessions", pinned},
  };
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const auto& [name, items] : lines)
    out.rows.push_back(row().text(name).small(items).take());
  return out;
}

// ---- what keeps a session on its connection, and what is prepared ----

constexpr std::array pinned_columns{
    console_column{"session", int8},  console_column{"user", text},
    console_column{"database", text}, console_column{"client", text},
    console_column{"route", text},    console_column{"endpoint", text},
    console_column{"server", text},   console_column{"reason", text},
    console_column{"since", text},    console_column{"seconds", float8},
    console_column{"state", text},    console_column{"application_name", text},
};

console_rows pinned_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    if (!each.pooled || each.pooled->pinned.empty()) continue;
    const auto& server = each.pooled->server;
    const std::chrono::duration<double> kept(each.pooled->pinned_seconds);
    row made;
    made.number(each.id).text(each.user).text(each.database).text(each.client).text_or_null(each.route);
    made.text_or_null(each.endpoint).text_or_null(server ? fmt::format("p{}", server->number) : "");
    made.text(each.pooled->pinned);
    made.text(time_text(seen.now - std::chrono::duration_cast<std::chrono::system_clock::duration>(kept)));
    made.seconds(each.pooled->pinned_seconds).text(each.state).text(each.application_name);
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array prepared_columns{
    console_column{"name", text},        console_column{"uses", int8},      console_column{"clients", int8},
    console_column{"fingerprint", text}, console_column{"statement", text},
};

console_rows prepared_rows(sight& seen) {
  console_rows out;
  const auto all = seen.from.prepared();
  if (all.size() >= limits::prepared_shown) out.notice = "these are the most used ones; there may be more";
  for (const auto& each : all) {
    const told_statement told = tell_statement(each.text, seen.statements);
    row made;
    made.text(each.name).number(each.uses).number(each.users);
    made.text_or_null(told.fingerprint).text_or_null(told.text);
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array pools_list{
    table{"LISTS", "how many there are of everything", list_columns, &list_rows},
    table{"PINNED", "pooled sessions that keep their server connection between transactions, and why",
          pinned_columns, &pinned_rows},
    table{"POOLS", "clients and server connections by database and user", pool_columns, &pool_rows},
    table{"PREPARED", "prepared statements that pooled clients share, the most used first", prepared_columns,
          &prepared_rows},
    table{"USERS", "the users of the present sessions", user_columns, &user_rows},
};

}  // namespace

std::span<const table> pool_tables() {
  return pools_list;
}

}  // namespace trunkline::console
