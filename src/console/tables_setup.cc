// SHOW DATABASES, UPSTREAMS, CONFIG, STATE and the like: how the gateway is set up, and how it is.
#include <algorithm>
#include <array>
#include <map>

#include "config/enum_names.h"
#include "config/load.h"
#include "config/schema.h"
#include "config/tree.h"
#include "console/rows.h"
#include "console/tables.h"

namespace trunkline::console {

namespace {

using session::console_column;
using session::console_rows;
using enum session::console_type;

// ---- routes and upstreams ----

constexpr std::array database_columns{
    console_column{"name", text},
    console_column{"host", text},
    console_column{"port", int4},
    console_column{"database", text},
    console_column{"force_user", text},
    console_column{"pool_size", int4},
    console_column{"min_pool_size", int4},
    console_column{"reserve_pool", int4},
    console_column{"pool_mode", text},
    console_column{"max_connections", int4},
    console_column{"current_connections", int4},
    console_column{"paused", int4},
    console_column{"disabled", int4},
    // PgBouncer 1.23 to 1.25
    console_column{"reserve_pool_size", int4},
    console_column{"server_lifetime", int4},
    console_column{"load_balance_hosts", text},
    console_column{"max_client_connections", int4},
    console_column{"current_client_connections", int4},
    // ours
    console_column{"upstream", text},
    console_column{"target", text},
    console_column{"auth", text},
    console_column{"users", text},
};

std::string joined(const std::vector<std::string>& list, std::string_view none) {
  std::string text;
  for (const auto& each : list)
    text += (text.empty() ? "" : ",") + each;
  return text.empty() ? std::string(none) : text;
}

struct route_load {
  std::uint64_t clients = 0;
  std::uint64_t servers = 0;
};

std::map<std::string, route_load> load_by(const session::sessions_view& all,
                                          std::string session::session_view::* key) {
  std::map<std::string, route_load> load;
  for (const auto& each : all.sessions) {
    route_load& of = load[each.*key];
    of.clients += 1;
    of.servers += each.endpoint.empty() || each.pooled ? 0 : 1;
  }
  return load;
}

/// And the connections of pools.
void add_pools(std::map<std::string, route_load>& to, const std::vector<session::pool_view>& pools,
               std::string session::pool_view::* key) {
  for (const auto& each : pools)
    to[each.*key].servers += each.servers();
}

/// What PgBouncer says of a database's pool: its size, how much of it is kept ready, its mode.
void add_pool_setup(row& made, const config::route& of, const config::upstream& to) {
  if (of.pooling == config::pooling_mode::off) {
    made.small(of.limits.max_sessions).number(0).number(0).text("session").small(of.limits.max_sessions);
    return;
  }
  made.small(to.pool.size).small(to.pool.min_idle).number(0).text(name_of(config::pooling_modes, of.pooling));
  made.small(to.pool.max_connections);
}

session::upstream_view view_named(const std::vector<session::upstream_view>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
  return found == all.end() ? session::upstream_view{} : *found;
}

/// Where a route leads, for whoever expects one host: the first of the list, or the name that is looked up.
config::address first_of(const config::upstream& to) {
  if (!to.endpoints.empty()) return to.endpoints.front();
  return {.host = to.found.name, .port = to.found.port};
}

console_rows database_rows(sight& seen) {
  console_rows out;
  const auto settings = seen.from.settings();
  if (!settings) return out;
  auto load = load_by(seen.from.sessions(), &session::session_view::route);
  add_pools(load, seen.from.pools(), &session::pool_view::route);
  const auto known = seen.from.upstreams();
  for (const config::route& each : settings->routes) {
    const config::upstream& to = settings->upstreams.at(each.upstream_index);
    const config::address first = first_of(to);
    const auto found = load.find(each.name);
    const route_load now = found == load.end() ? route_load{} : found->second;
    row made;
    made.text(each.name).text(first.is_unix() ? first.path : first.host).small(first.port);
    made.text(each.database.empty() ? joined(each.match.databases, "*") : each.database);
    made.text_or_null(each.login ? each.login->usual.user : "");
    add_pool_setup(made, each, to);
    made.small(now.servers);
    const auto& names = each.match.databases;
    const bool disabled = !names.empty() && std::all_of(names.begin(), names.end(), [&](const auto& name) {
      return seen.from.disabled(name);
    });
    made.number(view_named(known, each.upstream).paused ? 1 : 0).number(disabled ? 1 : 0);
    made.number(0).number(0).null().small(each.limits.max_sessions).small(now.clients);
    made.text(each.upstream).text(name_of(config::route_targets, each.target));
    made.text(name_of(config::auth_methods, each.auth.method)).text(joined(each.match.users, "*"));
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array upstream_columns{
    console_column{"name", text},      console_column{"endpoints", text},
    console_column{"tls", text},       console_column{"connect_timeout", float8},
    console_column{"routes", text},    console_column{"sessions", int4},
    console_column{"connected", int4}, console_column{"primary", text},
    console_column{"paused", text},    console_column{"held", int4},
    console_column{"failovers", int8}, console_column{"last_gap", float8},
    console_column{"problem", text},   console_column{"discovery_age", float8},
};

console_rows upstream_rows(sight& seen) {
  console_rows out;
  const auto settings = seen.from.settings();
  if (!settings) return out;
  auto load = load_by(seen.from.sessions(), &session::session_view::upstream);
  add_pools(load, seen.from.pools(), &session::pool_view::upstream);
  const auto known = seen.from.upstreams();
  for (const config::upstream& each : settings->upstreams) {
    const session::upstream_view of = view_named(known, each.name);
    std::vector<std::string> endpoints;
    for (const auto& at : of.endpoints)
      endpoints.push_back(at.name);
    std::vector<std::string> routes;
    for (const auto& route : settings->routes) {
      if (route.upstream == each.name) routes.push_back(route.name);
    }
    const auto found = load.find(each.name);
    const route_load now = found == load.end() ? route_load{} : found->second;
    row made;
    made.text(each.name).text(joined(endpoints, "")).text(name_of(config::upstream_tls_modes, each.tls.mode));
    made.seconds(each.connect_timeout).text(joined(routes, "")).small(now.clients).small(now.servers);
    made.text_or_null(of.primary)
        .yes(of.paused)
        .small(of.held)
        .number(of.failovers)
        .seconds(of.last_gap_seconds);
    made.text_or_null(of.discovery_problem);
    if (of.discovery_age_seconds)
      made.seconds(*of.discovery_age_seconds);
    else
      made.null();
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array endpoint_columns{
    console_column{"upstream", text},
    console_column{"endpoint", text},
    console_column{"addresses", text},
    console_column{"zone", text},
    console_column{"state", text},
    console_column{"role", text},
    console_column{"for", float8},
    console_column{"said", text},
    console_column{"lag", float8},
    console_column{"lag_bytes", int8},
    console_column{"timeline", int4},
    console_column{"version", int4},
    console_column{"system_identifier", numeric},
    console_column{"asked", float8},
    console_column{"sessions", int4},
    console_column{"logins", int4},
    console_column{"waiting", int4},
    console_column{"ejected", float8},
};

console_rows endpoint_rows(sight& seen) {
  console_rows out;
  for (const auto& upstream : seen.from.upstreams()) {
    for (const auto& each : upstream.endpoints) {
      row made;
      made.text(upstream.name).text(each.name).text(each.addresses).text_or_null(each.zone);
      made.text(each.state).text(each.role).seconds(each.since_seconds).text_or_null(each.said);
      each.lag_seconds ? made.seconds(*each.lag_seconds) : made.null();
      each.lag_bytes ? made.number(*each.lag_bytes) : made.null();
      each.timeline != 0 ? made.number(each.timeline) : made.null();
      each.version != 0 ? made.small(static_cast<std::uint64_t>(each.version)) : made.null();
      each.system_identifier != 0 ? made.number(each.system_identifier) : made.null();
      each.asked_seconds ? made.seconds(*each.asked_seconds) : made.null();
      made.small(each.sessions).small(each.logins_under_way).small(each.logins_waiting);
      made.seconds(each.ejected_seconds);
      out.rows.push_back(made.take());
    }
  }
  return out;
}

// ---- the configuration ----

constexpr std::array config_columns{
    console_column{"key", text},
    console_column{"value", text},
    console_column{"default", text},
    console_column{"changeable", text},
};

/// "listeners[0].tls.mode" -> "listeners[].tls.mode"
std::string schema_path(std::string_view key) {
  std::string path;
  bool inside = false;
  for (const char c : key) {
    if (c == ']') inside = false;
    if (!inside) path += c;
    if (c == '[') inside = true;
  }
  return path;
}

void add_config(const config::node& from, const std::string& key, console_rows& out) {
  if (from.kind == config::node_kind::mapping) {
    for (const auto& each : from.entries)
      add_config(*each.value, key.empty() ? each.key : key + "." + each.key, out);
    return;
  }
  const bool of_scalars = std::all_of(from.items.begin(), from.items.end(), [](const config::node_ptr& each) {
    return each->kind == config::node_kind::scalar;
  });
  if (from.kind == config::node_kind::list && !of_scalars) {
    for (std::size_t i = 0; i < from.items.size(); ++i)
      add_config(*from.items[i], fmt::format("{}[{}]", key, i), out);
    return;
  }
  std::string value = from.text;
  for (const auto& each : from.items)
    value += (value.empty() ? "" : ", ") + each->text;
  const auto* described = config::find_key(schema_path(key));
  row made;
  made.text(key).text(value).text_or_null(described == nullptr ? "" : described->default_text);
  out.rows.push_back(made.yes(key != "workers").take());
}

console_rows config_rows(sight& seen) {
  console_rows out;
  const auto settings = seen.from.settings();
  if (!settings) return out;
  // What `check` prints, secrets left out; taken apart again, so that no key can be forgotten here.
  const auto tree = config::parse_tree(config::render_yaml(*settings));
  if (!tree || *tree == nullptr) {
    out.notice = "the configuration is too large to be shown here: trunkline check prints it";
    return out;
  }
  add_config(**tree, "", out);
  return out;
}

// ---- the process ----

constexpr std::array version_columns{console_column{"version", text}};

console_rows version_rows(sight& seen) {
  return {.rows = {row().text("Trunkline " + std::string(seen.version)).take()}};
}

constexpr std::array state_columns{console_column{"key", text}, console_column{"value", text}};

console_rows state_rows(sight& seen) {
  const auto settings = seen.from.settings();
  const auto audit = seen.from.audit();
  const auto upstreams = seen.from.upstreams();
  const bool paused =
      std::any_of(upstreams.begin(), upstreams.end(), [](const auto& each) { return each.paused; });
  const auto up = std::chrono::duration_cast<std::chrono::seconds>(seen.now - seen.from.started());
  const std::pair<std::string_view, std::string> lines[] = {
      {"active", seen.from.draining() ? "no" : "yes"},
      {"paused", paused ? "yes" : "no"},
      {"suspended", "no"},
      {"ready", seen.from.ready() ? "yes" : "no"},
      {"draining", seen.from.draining() ? "yes" : "no"},
      {"started", time_text(seen.from.started())},
      {"up_seconds", std::to_string(up.count())},
      {"config_generation", std::to_string(settings ? settings->generation : 0)},
      {"config_file", settings ? settings->file : ""},
      {"audit", !audit.enabled  ? "off"
                : audit.blocked ? "blocked: " + audit.problem
                                : "on"},
      {"audit_events", std::to_string(audit.events)},
      {"audit_dropped", std::to_string(audit.dropped)},
      {"audit_lag_seconds", fmt::format("{:.3f}", audit.lag_seconds)},
  };
  console_rows out;
  for (const auto& [key, value] : lines)
    out.rows.push_back(row().text(key).text(value).take());
  return out;
}

constexpr std::array worker_columns{
    console_column{"worker", int4},         console_column{"heartbeat_seconds", float8},
    console_column{"busy_seconds", float8}, console_column{"turns", int8},
    console_column{"audit_events", int8},   console_column{"audit_dropped", int8},
};

console_rows worker_rows(sight& seen) {
  console_rows out;
  std::uint64_t number = 0;
  for (const auto* each : seen.from.workers()) {
    const std::chrono::nanoseconds beat(each->heartbeat_ns.load(std::memory_order_relaxed));
    row made;
    made.small(number++);
    if (beat.count() == 0) made.null();
    if (beat.count() != 0) made.seconds(seen.clock.time_since_epoch() - beat);
    made.seconds(std::chrono::nanoseconds(each->busy_ns.value())).number(each->turns.value());
    made.number(each->audit_events.value()).number(each->audit_dropped.value());
    out.rows.push_back(made.take());
  }
  return out;
}

constexpr std::array certificate_columns{
    console_column{"listener", text},
    console_column{"subject", text},
    console_column{"expires", text},
    console_column{"days", int4},
};

console_rows certificate_rows(sight& seen) {
  console_rows out;
  for (const auto& each : seen.from.certificates()) {
    const auto left = std::chrono::duration_cast<std::chrono::hours>(each.expires - seen.now).count() / 24;
    row made;
    made.text(each.listener).text(each.subject).text(time_text(each.expires));
    out.rows.push_back(made.text(std::to_string(left)).take());
  }
  return out;
}

constexpr std::array help_columns{console_column{"command", text}, console_column{"shows", text}};

console_rows help_rows(sight&) {
  console_rows out;
  for (const table& each : tables())
    out.rows.push_back(row().text("SHOW " + std::string(each.name)).text(each.meaning).take());
  return out;
}

constexpr std::array setup_list{
    table{"CERTIFICATES", "the certificates in use, and when they expire", certificate_columns,
          &certificate_rows},
    table{"CONFIG", "the configuration in force, as `trunkline check` prints it", config_columns,
          &config_rows},
    table{"DATABASES", "the routes and where they lead", database_columns, &database_rows},
    table{"ENDPOINTS", "the servers of the upstreams: what they are, since when, and why", endpoint_columns,
          &endpoint_rows},
    table{"HELP", "this list", help_columns, &help_rows},
    table{"STATE", "whether the gateway is ready, draining, auditing", state_columns, &state_rows},
    table{"UPSTREAMS", "the upstreams, their endpoints and sessions", upstream_columns, &upstream_rows},
    table{"VERSION", "the version", version_columns, &version_rows},
    table{"WORKERS", "the threads that carry sessions", worker_columns, &worker_rows},
};

}  // namespace

std::span<const table> setup_tables() {
  return setup_list;
}

}  // namespace trunkline::console
