// SHOW CLIENTS, SERVERS, SOCKETS, POOLS, SESSIONS and the like: what is there now.
#include <array>
#include <map>
#include <set>

#include "console/peer_address.h"
#include "console/rows.h"
#include "console/tables.h"

namespace trunkline::console {

namespace {

using session::console_column;
using session::console_rows;
using session::session_view;
using enum session::console_type;

// ---- one leg of a session, as PgBouncer shows it ----

constexpr std::array client_columns{
    console_column{"type", text},
    console_column{"user", text},
    console_column{"database", text},
    console_column{"state", text},
    console_column{"addr", text},
    console_column{"port", int4},
    console_column{"local_addr", text},
    console_column{"local_port", int4},
    console_column{"connect_time", text},
    console_column{"request_time", text},
    console_column{"wait", int4},
    console_column{"wait_us", int4},
    console_column{"close_needed", int4},
    console_column{"ptr", text},
    console_column{"link", text},
    console_column{"remote_pid", int4},
    console_column{"tls", text},
    console_column{"application_name", text},
    // PgBouncer 1.21 to 1.25
    console_column{"prepared_statements", int4},
    console_column{"replication", text},
    console_column{"id", int4},
    // ours
    console_column{"session", int8},
    console_column{"worker", int4},
    console_column{"listener", text},
    console_column{"route", text},
    console_column{"upstream", text},
    console_column{"endpoint", text},
    console_column{"session_state", text},
    console_column{"tx_state", text},
    console_column{"idle_seconds", float8},
    console_column{"exchange_seconds", float8},
    console_column{"bytes_in", int8},
    console_column{"bytes_out", int8},
    console_column{"exchanges", int8},
};

constexpr std::array<std::string_view, 7> buffer_columns{"recv_pos",    "pkt_pos",   "pkt_remain", "send_pos",
                                                         "send_remain", "pkt_avail", "send_avail"};
constexpr std::size_t known_to_1_18 = 18;

/// SHOW SOCKETS has PgBouncer's buffers behind the columns of 1.18.
constexpr auto socket_columns = [] {
  std::array<console_column, client_columns.size() + buffer_columns.size()> all{};
  std::size_t at = 0;
  for (std::size_t i = 0; i < client_columns.size(); ++i) {
    if (i == known_to_1_18) {
      for (const std::string_view name : buffer_columns)
        all[at++] = {name, int4};
    }
    all[at++] = client_columns[i];
  }
  return all;
}();

enum class leg : std::uint8_t { client, server };

bool logged_in(const session_view& of) {
  return of.state != "login";
}
bool is_active(const session_view& of) {
  return of.exchange_seconds > 0;
}

std::chrono::system_clock::time_point last_request(const session_view& of, const sight& seen) {
  const double ago = is_active(of) ? of.exchange_seconds : of.idle_seconds;
  return seen.now -
         std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::duration<double>(ago));
}

config::address listener_address(const sight& seen, const std::string& name) {
  if (const auto settings = seen.from.settings()) {
    for (const auto& each : settings->listeners) {
      if (each.name == name) return each.address;
    }
  }
  return {};
}

void add_address(row& to, const peer_address& from) {
  to.text(from.host).small(from.port);
}

void add_leg(row& made, const session_view& of, leg which, std::string_view state, const sight& seen) {
  const bool client = which == leg::client;
  made.text(client ? "C" : "S").text(of.user).text(of.database).text(state);
  add_address(made, peer_address_of(client ? of.client : of.endpoint));
  if (client) {
    const auto at = listener_address(seen, of.listener);
    made.text(at.is_unix() ? "unix" : at.host).small(at.port);
  } else {
    add_address(made, peer_address_of(of.local));
  }
  made.text(time_text(of.started)).text(time_text(last_request(of, seen)));
  // A client waits as long as it has no server: during its login.
  const double wait = client && !logged_in(of) ? of.seconds : 0;
  made.small(static_cast<std::uint64_t>(wait)).small(static_cast<std::uint64_t>(wait * 1e6) % 1'000'000);
  made.number(0);
  made.text(fmt::format("{}{}", client ? 'c' : 's', of.id));
  made.text(of.endpoint.empty() ? "" : fmt::format("{}{}", client ? 's' : 'c', of.id));
  made.small(client ? 0 : of.server_pid).text(client ? of.tls : of.server_tls).text(of.application_name);
}

/// What comes behind the columns of PgBouncer 1.18.
void add_rest(row& made, const session_view& of) {
  made.nulls(2).small(of.id).number(of.id).small(of.worker).text(of.listener);
  made.text_or_null(of.route).text_or_null(of.upstream).text_or_null(of.endpoint).text(of.state);
  made.text(std::string_view(&of.transaction_status, 1));
  made.seconds(of.idle_seconds).seconds(of.exchange_seconds);
  made.number(of.bytes_in).number(of.bytes_out).number(of.exchanges);
}

std::string incomplete_notice(bool complete) {
  return complete ? "" : "a worker is busy: its sessions are missing";
}

console_rows client_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    row made;
    add_leg(made, each, leg::client, logged_in(each) ? "active" : "waiting", seen);
    add_rest(made, each);
    out.rows.push_back(made.take());
  }
  return out;
}

console_rows server_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    if (each.endpoint.empty()) continue;
    row made;
    add_leg(made, each, leg::server, logged_in(each) ? "active" : "new", seen);
    add_rest(made, each);
    out.rows.push_back(made.take());
  }
  return out;
}

console_rows sockets(sight& seen, bool only_active) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    if (only_active && !is_active(each)) continue;
    for (const leg which : {leg::client, leg::server}) {
      if (which == leg::server && each.endpoint.empty()) continue;
      const std::string state =
          std::string(which == leg::client ? "cl_" : "sv_") + (logged_in(each) ? "active" : "login");
      row made;
      add_leg(made, each, which, state, seen);
      made.nulls(buffer_columns.size());  // a relay holds no packets
      add_rest(made, each);
      out.rows.push_back(made.take());
    }
  }
  return out;
}
console_rows socket_rows(sight& seen) {
  return sockets(seen, false);
}
console_rows active_socket_rows(sight& seen) {
  return sockets(seen, true);
}

// ---- sums over sessions ----

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
};

struct pool {
  std::uint64_t clients = 0;
  std::uint64_t waiting = 0;
  std::uint64_t servers = 0;
  std::uint64_t connecting = 0;
  std::uint64_t busy = 0;
  std::uint64_t in_transaction = 0;
  double longest_wait = 0;
  double longest_exchange = 0;
  std::string route;
};

using pools_by_name = std::map<std::pair<std::string, std::string>, pool>;

pools_by_name pools_of(const session::sessions_view& all) {
  pools_by_name pools;
  for (const session_view& each : all.sessions) {
    pool& in = pools[{each.database, each.user}];
    const bool here = logged_in(each);
    (here ? in.clients : in.waiting) += 1;
    if (!each.endpoint.empty()) (here ? in.servers : in.connecting) += 1;
    if (!here) in.longest_wait = std::max(in.longest_wait, each.seconds);
    in.longest_exchange = std::max(in.longest_exchange, each.exchange_seconds);
    in.busy += is_active(each) ? 1 : 0;
    in.in_transaction += each.transaction_status == 'T' || each.transaction_status == 'E' ? 1 : 0;
    if (in.route.empty()) in.route = each.route;
  }
  return pools;
}

/// PgBouncer's columns from `cl_active` to `load_balance_hosts`.
void add_pool(row& made, const session::pool_view& of) {
  made.small(of.cl_active).small(of.cl_waiting).number(0).number(0);
  made.small(of.sv_active).number(0).number(0).small(of.sv_idle).number(0).small(of.sv_tested);
  made.small(of.sv_login).small(of.maxwait_us / 1'000'000).small(of.maxwait_us % 1'000'000);
  made.text(of.pool_mode).null();
}

/// What sessions alone tell: each has a server connection of its own.
session::pool_view view_of_sessions(const pool& from) {
  return {.cl_active = from.clients,
          .cl_waiting = from.waiting,
          .sv_active = from.servers,
          .sv_login = from.connecting,
          .maxwait_us = static_cast<std::uint64_t>(from.longest_wait * 1e6),
          .pool_mode = "session"};
}

console_rows pool_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  auto by_name = pools_of(all);
  std::map<std::pair<std::string, std::string>, session::pool_view> shared;
  for (auto& each : seen.from.pools()) {
    by_name.try_emplace({each.database, each.user});
    shared.insert_or_assign({each.database, each.user}, std::move(each));
  }
  for (const auto& [name, each] : by_name) {
    const auto own = shared.find(name);
    row made;
    made.text(name.first).text(name.second);
    add_pool(made, own == shared.end() ? view_of_sessions(each) : own->second);
    made.text_or_null(each.route).small(each.busy).small(each.in_transaction).seconds(each.longest_exchange);
    out.rows.push_back(made.take());
  }
  return out;
}

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

console_rows user_rows(sight& seen) {
  const auto all = seen.from.sessions();
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> users;  // servers, clients
  for (const session_view& each : all.sessions) {
    auto& [servers, clients] = users[each.user];
    servers += each.endpoint.empty() ? 0 : 1;
    clients += 1;
  }
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const auto& [name, counts] : users) {
    row made;
    made.text(name)
        .text("session")
        .text("")
        .text("")
        .number(0)
        .small(counts.first)
        .number(0)
        .small(counts.second);
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
  std::uint64_t servers = 0;
  std::uint64_t logins = 0;
  for (const session_view& each : all.sessions) {
    users.insert(each.user);
    servers += each.endpoint.empty() ? 0 : 1;
    logins += logged_in(each) ? 0 : 1;
  }
  const std::pair<std::string_view, std::uint64_t> lines[] = {
      {"databases", settings ? settings->routes.size() : 0},
      {"users", users.size()},
      {"pools", pools_of(all).size()},
      {"free_clients", 0},
      {"used_clients", all.sessions.size()},
      {"login_clients", logins},
      {"free_servers", 0},
      {"used_servers", servers},
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
  };
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const auto& [name, items] : lines)
    out.rows.push_back(row().text(name).small(items).take());
  return out;
}

// ---- ours ----

constexpr std::array session_columns{
    console_column{"session", int8},        console_column{"state", text},
    console_column{"tx_state", text},       console_column{"user", text},
    console_column{"database", text},       console_column{"application_name", text},
    console_column{"client", text},         console_column{"listener", text},
    console_column{"server_name", text},    console_column{"tls", text},
    console_column{"route", text},          console_column{"upstream", text},
    console_column{"endpoint", text},       console_column{"local", text},
    console_column{"server_pid", int4},     console_column{"server_tls", text},
    console_column{"started", text},        console_column{"seconds", float8},
    console_column{"idle_seconds", float8}, console_column{"exchange_seconds", float8},
    console_column{"bytes_in", int8},       console_column{"bytes_out", int8},
    console_column{"exchanges", int8},      console_column{"worker", int4},
};

console_rows session_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    row made;
    made.number(each.id).text(each.state).text(std::string_view(&each.transaction_status, 1));
    made.text(each.user).text(each.database).text(each.application_name).text(each.client);
    made.text(each.listener).text_or_null(each.server_name).text_or_null(each.tls);
    made.text_or_null(each.route).text_or_null(each.upstream).text_or_null(each.endpoint);
    made.text_or_null(each.local);
    if (each.server_pid == 0) made.null();
    if (each.server_pid != 0) made.small(each.server_pid);
    made.text_or_null(each.server_tls).text(time_text(each.started)).seconds(each.seconds);
    made.seconds(each.idle_seconds).seconds(each.exchange_seconds);
    made.number(each.bytes_in).number(each.bytes_out).number(each.exchanges).small(each.worker);
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array pinned_columns{
    console_column{"session", int8},   console_column{"user", text},     console_column{"database", text},
    console_column{"route", text},     console_column{"endpoint", text}, console_column{"reason", text},
    console_column{"seconds", float8},
};

console_rows pinned_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    if (each.endpoint.empty()) continue;
    row made;
    made.number(each.id).text(each.user).text(each.database).text_or_null(each.route).text(each.endpoint);
    out.rows.push_back(made.text("pooling is off").seconds(each.seconds).take());
  }
  return out;
}

constexpr std::array prepared_columns{console_column{"session", int8}, console_column{"name", text},
                                      console_column{"statement", text}};

console_rows prepared_rows(sight&) {
  return {.rows = {}, .notice = "prepared statements stay between client and server: pooling is off"};
}

constexpr std::array sessions_list{
    table{"ACTIVE_SOCKETS", "SHOW SOCKETS, of sessions whose exchange is under way", socket_columns,
          &active_socket_rows},
    table{"CLIENTS", "the client's side of each session", client_columns, &client_rows},
    table{"LISTS", "how many there are of everything", list_columns, &list_rows},
    table{"PINNED", "sessions that keep their server connection, and why", pinned_columns, &pinned_rows},
    table{"POOLS", "sessions by database and user", pool_columns, &pool_rows},
    table{"PREPARED", "prepared statements that the gateway follows: none while pooling is off",
          prepared_columns, &prepared_rows},
    table{"SERVERS", "the server's side of each session", client_columns, &server_rows},
    table{"SESSIONS", "each session, with all that is known of it", session_columns, &session_rows},
    table{"SOCKETS", "both sides of each session", socket_columns, &socket_rows},
    table{"USERS", "the users of the present sessions", user_columns, &user_rows},
};

}  // namespace

std::span<const table> session_tables() {
  return sessions_list;
}

}  // namespace trunkline::console
