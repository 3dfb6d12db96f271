// SHOW CLIENTS, SERVERS, SOCKETS and SESSIONS: each session, and each of its two sides.
#include <array>

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
bool has_server(const session_view& of) {
  return of.pooled ? of.pooled->server.has_value() : !of.endpoint.empty();
}

/// The server's side of a session, or the connection of a pool that it has now.
std::string server_name(const session_view& of) {
  return of.pooled ? fmt::format("p{}", of.pooled->server->number) : fmt::format("s{}", of.id);
}

std::chrono::system_clock::time_point ago(const sight& seen, double seconds) {
  return seen.now - std::chrono::duration_cast<std::chrono::system_clock::duration>(
                        std::chrono::duration<double>(seconds));
}

std::chrono::system_clock::time_point last_request(const session_view& of, const sight& seen) {
  return ago(seen, is_active(of) ? of.exchange_seconds : of.idle_seconds);
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

void add_wait(row& to, double seconds) {
  to.small(static_cast<std::uint64_t>(seconds)).small(static_cast<std::uint64_t>(seconds * 1e6) % 1'000'000);
}

/// A client waits as long as it has no server: during its login, or for a connection of its pool.
double waits(const session_view& of) {
  if (!logged_in(of)) return of.seconds;
  return of.pooled ? of.pooled->wait_seconds : 0;
}

void add_client_leg(row& made, const session_view& of, std::string_view state, const sight& seen) {
  made.text("C").text(of.user).text(of.database).text(state);
  add_address(made, peer_address_of(of.client));
  const auto at = listener_address(seen, of.listener);
  made.text(at.is_unix() ? "unix" : at.host).small(at.port);
  made.text(time_text(of.started)).text(time_text(last_request(of, seen)));
  add_wait(made, waits(of));
  made.number(0).text(fmt::format("c{}", of.id)).text(has_server(of) ? server_name(of) : "");
  made.number(0).text(of.tls).text(of.application_name);
}

void add_server_leg(row& made, const session_view& of, std::string_view state, const sight& seen) {
  const auto& shared = of.pooled ? of.pooled->server : std::nullopt;
  made.text("S").text(shared ? shared->user : of.user).text(shared ? shared->database : of.database);
  made.text(state);
  add_address(made, peer_address_of(of.endpoint));
  add_address(made, peer_address_of(of.local));
  made.text(time_text(shared ? shared->connected : of.started)).text(time_text(last_request(of, seen)));
  add_wait(made, 0);
  made.number(0).text(server_name(of)).text(fmt::format("c{}", of.id));
  made.small(of.server_pid).text(of.server_tls).text(of.application_name);
}

/// A connection of a pool that no session has.
void add_spare_leg(row& made, const session::server_view& of, std::string_view state, const sight& seen) {
  made.text("S").text(of.user).text(of.database).text(state);
  add_address(made, peer_address_of(of.endpoint));
  add_address(made, peer_address_of(of.local));
  made.text(time_text(of.connected)).text(time_text(ago(seen, of.idle_seconds)));
  add_wait(made, 0);
  made.number(0).text(fmt::format("p{}", of.number)).text("");
  made.small(of.pid).text(of.tls).text("");
}

/// What comes behind the columns of PgBouncer 1.18.
void add_rest(row& made, const session_view& of) {
  made.nulls(2).small(of.id).number(of.id).small(of.worker).text(of.listener);
  made.text_or_null(of.route).text_or_null(of.upstream).text_or_null(of.endpoint).text(of.state);
  made.text(std::string_view(&of.transaction_status, 1));
  made.seconds(of.idle_seconds).seconds(of.exchange_seconds);
  made.number(of.bytes_in).number(of.bytes_out).number(of.exchanges);
}

void add_spare_rest(row& made, const session::server_view& of) {
  made.nulls(4).small(of.worker).nulls(2).text(of.upstream).text(of.endpoint).nulls(2);
  made.seconds(of.idle_seconds).nulls(4);
}

console_rows client_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    const bool waiting = !logged_in(each) || (each.pooled && each.pooled->waits);
    row made;
    add_client_leg(made, each, waiting ? "waiting" : "active", seen);
    add_rest(made, each);
    out.rows.push_back(made.take());
  }
  return out;
}

console_rows server_rows(sight& seen) {
  const auto all = seen.from.sessions();
  console_rows out{.rows = {}, .notice = incomplete_notice(all.complete)};
  for (const session_view& each : all.sessions) {
    if (!has_server(each)) continue;
    row made;
    add_server_leg(made, each, logged_in(each) ? "active" : "new", seen);
    add_rest(made, each);
    out.rows.push_back(made.take());
  }
  for (const auto& each : all.spare) {
    row made;
    add_spare_leg(made, each, each.state, seen);
    add_spare_rest(made, each);
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
      if (which == leg::server && !has_server(each)) continue;
      const std::string state = logged_in(each) ? "active" : "login";
      row made;
      if (which == leg::client) add_client_leg(made, each, "cl_" + state, seen);
      if (which == leg::server) add_server_leg(made, each, "sv_" + state, seen);
      made.nulls(buffer_columns.size());  // a relay holds no packets
      add_rest(made, each);
      out.rows.push_back(made.take());
    }
  }
  for (const auto& each : all.spare) {
    if (only_active) break;
    row made;
    add_spare_leg(made, each, "sv_" + each.state, seen);
    made.nulls(buffer_columns.size());
    add_spare_rest(made, each);
    out.rows.push_back(made.take());
  }
  return out;
}
console_rows socket_rows(sight& seen) {
  return sockets(seen, false);
}
console_rows active_socket_rows(sight& seen) {
  return sockets(seen, true);
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
    console_column{"pooling", text},        console_column{"server", text},
    console_column{"wait_seconds", float8}, console_column{"pinned", text},
    console_column{"principal", text},      console_column{"policy", text},
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
    made.text(each.pooled ? each.pooled->mode : "off")
        .text_or_null(has_server(each) ? server_name(each) : "");
    made.seconds(waits(each)).text_or_null(each.pooled ? each.pooled->pinned : "");
    made.text_or_null(each.principal).text_or_null(each.policy);
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array sessions_list{
    table{"ACTIVE_SOCKETS", "SHOW SOCKETS, of sessions whose exchange is under way", socket_columns,
          &active_socket_rows},
    table{"CLIENTS", "the client's side of each session", client_columns, &client_rows},
    table{"SERVERS", "the server's side of each session", client_columns, &server_rows},
    table{"SESSIONS", "each session, with all that is known of it", session_columns, &session_rows},
    table{"SOCKETS", "both sides of each session", socket_columns, &socket_rows},
};

}  // namespace

std::span<const table> session_tables() {
  return sessions_list;
}

}  // namespace trunkline::console
