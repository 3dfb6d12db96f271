// [databases] and [users] become upstreams, one for each database and of its name, so that the console's
// commands take the names that PgBouncer's took; and routes, more than one where users differ.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "config/schema.h"
#include "config/values.h"
#include "pgbouncer/conversion_state.h"
#include "pgbouncer/route_plan.h"

namespace trunkline::pgbouncer {

std::optional<config::address> endpoint_of(conversion_state& state, const named_values& owner,
                                           const std::string& host, std::uint16_t port) {
  if (host.starts_with('@')) {
    state.tell(fate::no_equal, owner.where, owner.name + ": host",
               "there are no servers in the abstract namespace: name a folder");
    return std::nullopt;
  }
  if (host.empty() || host.front() == '/') {
    std::string folder = host.empty() ? state.globals().text("unix_socket_dir") : host;
    if (folder.empty() || folder.front() == '@') folder = "/tmp";
    return config::address{.path = fmt::format("{}/.s.PGSQL.{}", state.absolute(folder), port)};
  }
  const bool six = host.find(':') != std::string::npos;
  auto at =
      config::parse_endpoint(six ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port));
  if (!at) {
    state.problem(owner.values, "host", fmt::format("{}: `{}` is no host", owner.name, host),
                  "a name, an IP address or the folder of a unix socket");
  }
  return at;
}

namespace {

using std::chrono::milliseconds;

constexpr std::string_view no_pooling =
    "this version gives each client a server connection of its own: pooling is off";

std::vector<config::address> endpoints_of(conversion_state& state, const named_values& database) {
  const auto port = database.values.number("port");
  if (port < 1 || port > 65'535) {
    state.problem(database.values, "port", database.name + ": is no port", "a number from 1 to 65535");
    return {};
  }
  auto hosts = split_list(database.values.text("host"));
  if (hosts.empty()) hosts.emplace_back();
  std::vector<config::address> all;
  for (const auto& each : hosts) {
    auto at = endpoint_of(state, database, each, static_cast<std::uint16_t>(port));
    if (at && std::find(all.begin(), all.end(), *at) == all.end()) all.push_back(std::move(*at));
  }
  return all;
}

std::string server_tls_mode(conversion_state& state) {
  const auto mode = state.word(state.globals(), "server_tls_sslmode",
                               {"prefer", "disable", "allow", "require", "verify-ca", "verify-full"});
  return mode == "allow" ? "prefer" : mode;
}

bool all_unix(const std::vector<config::address>& all) {
  return std::all_of(all.begin(), all.end(), [](const config::address& each) { return each.is_unix(); });
}

void write_server_tls(conversion_state& state, const std::vector<config::address>& endpoints) {
  const auto mode = server_tls_mode(state);
  state.out.open("tls");
  if (mode == "disable" || all_unix(endpoints)) {
    state.out.plain("mode", "disable");
  } else {
    state.out.plain("mode", mode);
    const std::pair<std::string_view, std::string_view> files[] = {{"caFile", "server_tls_ca_file"},
                                                                   {"certFile", "server_tls_cert_file"},
                                                                   {"keyFile", "server_tls_key_file"}};
    for (const auto& [ours, theirs] : files) {
      const bool used = theirs != "server_tls_ca_file" || mode.starts_with("verify");
      const auto path = state.absolute(state.globals().text(theirs));
      if (used && !path.empty()) state.out.text(ours, path);
    }
  }
  state.out.close();
}

/// The database's own value, or the one for all.
const given_values& owner_of(conversion_state& state, const named_values& database, std::string_view key) {
  return database.values.has(key) ? database.values : state.globals();
}

void write_pool(conversion_state& state, const named_values& database) {
  const given_values& globals = state.globals();
  yaml_writer& out = state.out;
  auto wait = globals.seconds("query_wait_timeout");
  if (wait.count() == 0) wait = std::chrono::hours(1'000);  // for ever; bounded below
  out.open("pool");
  out.plain("maxWait", state.duration(globals, "query_wait_timeout", "upstreams[].pool.maxWait", wait));
  if (is_taken("upstreams[].pool.size")) {
    const bool own_size = database.values.has("pool_size");
    const given_values& size_of = own_size ? database.values : globals;
    const std::string_view size_key = own_size ? "pool_size" : "default_pool_size";
    const auto number = [&](std::string_view key, const given_values& of, std::string_view theirs) {
      const auto path = fmt::format("upstreams[].pool.{}", key);
      out.plain(key, std::to_string(state.bounded(of, theirs, path, of.number(theirs))));
    };
    number("size", size_of, size_key);
    number("minIdle", owner_of(state, database, "min_pool_size"), "min_pool_size");
    const given_values& all_of = owner_of(state, database, "max_db_connections");
    if (all_of.number("max_db_connections") > 0) number("maxConnections", all_of, "max_db_connections");
    if (globals.number("max_user_connections") > 0) number("perUser", globals, "max_user_connections");
    const given_values& life_of = owner_of(state, database, "server_lifetime");
    auto life = life_of.seconds("server_lifetime");
    if (life.count() == 0) {
      state.tell(fate::no_equal, life_of, "server_lifetime",
                 "a connection is never used only once: the shortest life is a second");
      life = std::chrono::seconds(1);
    }
    out.plain("maxLifetime",
              state.duration(life_of, "server_lifetime", "upstreams[].pool.maxLifetime", life));
    out.plain("idleTimeout", state.duration(globals, "server_idle_timeout", "upstreams[].pool.idleTimeout",
                                            globals.seconds("server_idle_timeout")));
  }
  out.close();
}

void write_upstream(conversion_state& state, const named_values& database, const std::string& name,
                    const std::vector<config::address>& endpoints) {
  std::vector<std::string> addresses;
  addresses.reserve(endpoints.size());
  for (const auto& each : endpoints)
    addresses.push_back(each.text());
  const given_values& globals = state.globals();
  state.out.open_item();
  state.out.text("name", name);
  state.out.texts("endpoints", addresses);
  write_server_tls(state, endpoints);
  state.out.plain("connectTimeout",
                  state.duration(globals, "server_connect_timeout", "upstreams[].connectTimeout",
                                 globals.seconds("server_connect_timeout")));
  write_pool(state, database);
  state.out.close();
}

// ---- routes ----

/// The user's, the database's or the global value, whoever has it.
const given_values& owner_of(conversion_state& state, const route_plan& plan, std::string_view key) {
  if (plan.user != nullptr && plan.user->values.has(key)) return plan.user->values;
  return owner_of(state, *plan.database, key);
}

void write_pooling(conversion_state& state, const route_plan& plan) {
  const given_values& of = owner_of(state, plan, "pool_mode");
  std::string mode = of.text("pool_mode");
  if (mode.empty()) mode = "session";
  if (mode == "statement") {
    state.tell(fate::no_equal, of, "pool_mode",
               "transactions of several statements are not forbidden: the nearest is pooling: transaction");
    mode = "transaction";
  }
  if (plan.auth == plan_auth::server) {
    state.out.plain("pooling", "off");
  } else if (takes_word("routes[].pooling", mode)) {
    state.out.plain("pooling", mode);
  } else {
    state.out.plain("pooling", "off");
    state.tell(fate::no_equal, of, "pool_mode", std::string(no_pooling));
  }
}

void write_auth(conversion_state& state, const route_plan& plan) {
  yaml_writer& out = state.out;
  out.open("auth");
  switch (plan.auth) {
    case plan_auth::server:
      out.plain("method", "server");
      break;
    case plan_auth::trust:
      out.plain("method", "trust");
      break;
    case plan_auth::file:
      out.plain("method", "scram");
      out.text("verifierFile", state.auth_file);
      break;
    case plan_auth::query:
      out.plain("method", "scram");
      out.open("query");
      out.text("sql", plan.query.sql);
      out.text("user", plan.query.user);
      if (!plan.query.variable.empty()) out.variable("password", plan.query.variable);
      out.text("database", plan.query.database);
      out.close();
      break;
  }
  out.close();
  if (plan.credentials_user.empty()) return;
  out.open("credentials");
  out.text("user", plan.credentials_user);
  if (!plan.credentials_variable.empty()) out.variable("password", plan.credentials_variable);
  out.close();
}

void write_settings(conversion_state& state, const route_plan& plan) {
  std::vector<std::pair<std::string, std::string>> all;
  for (const std::string_view name : {"application_name", "client_encoding", "datestyle", "timezone"}) {
    if (plan.database->values.has(name)) all.emplace_back(name, plan.database->values.text(name));
  }
  const std::pair<std::string_view, std::string_view> times[] = {
      {"query_timeout", "statement_timeout"},
      {"idle_transaction_timeout", "idle_in_transaction_session_timeout"}};
  for (const auto& [theirs, ours] : times) {
    const auto time = owner_of(state, plan, theirs).seconds(theirs);
    if (time.count() > 0) all.emplace_back(ours, fmt::format("{}ms", time.count()));
  }
  if (all.empty()) return;
  state.out.open("settings");
  for (const auto& [name, value] : all)
    state.out.text(name, value);
  state.out.close();
}

void write_limits(conversion_state& state, const route_plan& plan) {
  constexpr std::string_view of_database = "max_db_client_connections";
  constexpr std::string_view of_user = "max_user_client_connections";
  const given_values& sessions_of = owner_of(state, *plan.database, of_database);
  const given_values& each_of = owner_of(state, plan, of_user);
  const auto sessions = sessions_of.number(of_database);
  const auto each = each_of.number(of_user);
  const given_values& idle_of = owner_of(state, plan, "client_idle_timeout");
  const given_values& busy_of = owner_of(state, plan, "transaction_timeout");
  const auto idle = idle_of.seconds("client_idle_timeout");
  const auto busy = busy_of.seconds("transaction_timeout");
  if (sessions <= 0 && each <= 0 && idle.count() == 0 && busy.count() == 0) return;
  state.out.open("limits");
  if (sessions > 0) {
    state.out.plain("maxSessions", std::to_string(state.bounded(sessions_of, of_database,
                                                                "routes[].limits.maxSessions", sessions)));
  }
  if (each > 0) {
    state.out.plain(
        "maxSessionsPerPrincipal",
        std::to_string(state.bounded(each_of, of_user, "routes[].limits.maxSessionsPerPrincipal", each)));
  }
  if (idle.count() > 0) state.out.plain("idleTimeout", config::format_duration(idle));
  if (busy.count() > 0) state.out.plain("transactionTimeout", config::format_duration(busy));
  state.out.close();
}

void write_route(conversion_state& state, const route_plan& plan, const std::string& upstream) {
  yaml_writer& out = state.out;
  const named_values& database = *plan.database;
  const bool any_database = database.name == "*";
  const bool narrow = !any_database || !plan.listeners.empty() || !plan.users.empty();
  out.open_item();
  out.text("name", state.new_name(upstream + plan.suffix));
  if (narrow) {
    out.open("match");
    if (!plan.listeners.empty()) out.texts("listener", plan.listeners);
    if (!any_database) out.texts("database", {as_pattern(database.name)});
    if (!plan.users.empty()) out.texts("user", plan.users);
    out.close();
  }
  out.text("upstream", upstream);
  out.plain("target", "any");  // PgBouncer does not ask what a server is
  const auto dbname = database.values.text("dbname");
  if (!dbname.empty() && dbname != database.name) out.text("database", dbname);
  write_pooling(state, plan);
  write_auth(state, plan);
  write_settings(state, plan);
  write_limits(state, plan);
  out.close();
}

struct database_plan {
  const named_values* database;
  std::string upstream;
  std::vector<config::address> endpoints;
  std::vector<route_plan> routes;
};

/// A server that leads TLS on from a client's TLS cannot be handed the client's proof.
bool server_may_check(conversion_state& state, const std::vector<config::address>& endpoints) {
  const bool client_tls = state.globals().text("client_tls_sslmode") != "disable";
  const bool server_tls = server_tls_mode(state) != "disable" && !all_unix(endpoints);
  return !client_tls || !server_tls;
}

std::vector<database_plan> plan_all(conversion_state& state) {
  std::vector<database_plan> all;
  auto order = state.from.databases;
  // The fallback comes last, wherever it stands.
  std::stable_partition(order.begin(), order.end(),
                        [](const named_values& each) { return each.name != "*"; });
  for (const auto& each : order) {
    const auto same = std::find_if(state.from.databases.begin(), state.from.databases.end(),
                                   [&](const named_values& one) { return one.name == each.name; });
    database_plan plan{
        .database = &*same, .upstream = {}, .endpoints = endpoints_of(state, *same), .routes = {}};
    if (plan.endpoints.empty()) continue;
    plan.upstream = state.new_name(each.name == "*" ? "any" : each.name);
    plan.routes = plan_routes(state, *same, server_may_check(state, plan.endpoints));
    all.push_back(std::move(plan));
  }
  return all;
}

}  // namespace

void convert_databases(conversion_state& state) {
  if (state.from.databases.empty()) {
    state.problems.push_back(problem_at({.file = state.from.files.front()}, "[databases]",
                                        "names no database", "name = connection string"));
    return;
  }
  const auto all = plan_all(state);
  state.names.clear();  // routes and upstreams have names of their own
  state.out.open("routes");
  for (const auto& each : all) {
    for (const auto& route : each.routes)
      write_route(state, route, each.upstream);
  }
  state.out.close();
  state.out.open("upstreams");
  for (const auto& each : all)
    write_upstream(state, *each.database, each.upstream, each.endpoints);
  state.out.close();
}

}  // namespace trunkline::pgbouncer
