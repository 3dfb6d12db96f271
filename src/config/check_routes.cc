#include <fmt/format.h>

#include "config/checks.h"
#include "config/scram_table.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

/// One route with what it joins, as far as the modes and names that the checks rest on were read without
/// problem.
struct joined_route {
  const check_input& in;
  std::size_t index;
  const route& self;
  const upstream& to;
  std::vector<std::size_t> listeners;  ///< that it may serve, by index

  std::string key(std::string_view leaf) const { return fmt::format("routes[{}].{}", index, leaf); }
  const listener& from(std::size_t i) const { return in.value.listeners[listeners[i]]; }
};

void check_listener_names(const check_input& in, const route& self, std::size_t index) {
  std::vector<std::string> names;
  for (const auto& one : in.value.listeners) {
    if (one.name.empty()) return;
    names.push_back(one.name);
  }
  for (const auto& pattern : self.match.listeners) {
    route_match alone;
    alone.listeners = {pattern};
    const bool fits = std::any_of(in.value.listeners.begin(), in.value.listeners.end(),
                                  [&](const listener& one) { return may_come_from(alone, one); });
    if (fits || names.empty()) continue;
    const auto near = nearest(pattern, names);
    in.problem(fmt::format("routes[{}].match.listener", index),
               quote(pattern) +
                   (near ? fmt::format(" is no listener, did you mean `{}`?", *near) : " is no listener"),
               names.size() <= 8 ? enumerate(names) : "the name of a listener");
  }
}

void check_passthrough(const joined_route& route, const listener& from) {
  const auto& in = route.in;
  const auto refuse = [&](bool wrong, std::string_view leaf, std::string_view text,
                          std::string_view expected) {
    if (wrong) {
      in.problem(route.key(leaf),
                 fmt::format("{} on listener `{}`, whose TLS passes through unopened", text, from.name),
                 std::string(expected));
    }
  };
  const std::string elsewhere = ", or match.listener to name only other listeners";
  refuse(!route.self.match.databases.empty(), "match.database", "the database cannot be seen",
         "match by listener, serverName and source" + elsewhere);
  refuse(!route.self.match.users.empty(), "match.user", "the user cannot be seen",
         "match by listener, serverName and source" + elsewhere);
  refuse(route.self.auth.method != auth_method::server, "auth.method", "the gateway cannot authenticate",
         "server" + elsewhere);
  refuse(!route.self.database.empty(), "database", "another database cannot be asked for",
         "to be left out" + elsewhere);
  refuse(!route.self.parameters.empty(), "settings", "settings cannot be sent", "to be left out" + elsewhere);
  refuse(route.self.pooling != pooling_mode::off, "pooling", "server connections cannot be shared",
         "off" + elsewhere);
  refuse(route.self.limits.transaction_timeout.count() != 0, "limits.transactionTimeout",
         "transactions cannot be seen", "0" + elsewhere);
  const bool has_socket = std::any_of(route.to.endpoints.begin(), route.to.endpoints.end(),
                                      [](const address& at) { return at.is_unix(); });
  refuse(has_socket, "upstream", "a server on a unix socket speaks no TLS, which clients need",
         "an upstream with host:port endpoints" + elsewhere);
}

void check_scram_road(const joined_route& route, const listener& from) {
  if (scram_road_of(from, route.to) != scram_road::cannot_work) return;
  route.in.problem(
      route.key("auth.method"),
      fmt::format("`server` cannot carry SCRAM here: TLS ends at listener `{}` (mode {}) and begins again to "
                  "upstream "
                  "`{}` (mode {}) with another certificate, so the client's channel binding cannot fit",
                  from.name, name_of(listener_tls_modes, from.tls.mode), route.to.name,
                  name_of(upstream_tls_modes, route.to.tls.mode)),
      fmt::format("auth: {{method: scram}}; or one certificate on both legs and "
                  "upstreams[{}].tls.sameCertificate: true; "
                  "or the listener's tls.mode: passthrough; or a server leg without TLS",
                  route.self.upstream_index));
}

void warn_of_cleartext(const joined_route& route, const listener& from) {
  const auto& in = route.in;
  if (from.tls.mode == listener_tls_mode::passthrough) return;
  const bool plain_client =
      from.tls.mode == listener_tls_mode::disable || from.tls.mode == listener_tls_mode::allow;
  if (plain_client && !from.address.is_local()) {
    in.warn(
        route.key("auth.method"),
        fmt::format(
            "clients may come to listener `{}` without TLS; where the server asks for a cleartext password, "
            "it crosses the network in clear",
            from.name),
        "listener tls.mode: require, or scram");
  }
  const bool plain_mode =
      route.to.tls.mode == upstream_tls_mode::disable || route.to.tls.mode == upstream_tls_mode::prefer;
  const auto is_remote = [&route] {
    return std::any_of(route.to.endpoints.begin(), route.to.endpoints.end(),
                       [](const address& at) { return !at.is_local(); });
  };
  if (plain_mode && is_remote()) {
    in.warn(route.key("auth.method"),
            fmt::format("upstream `{}` may be reached without TLS; where it asks for a cleartext password, "
                        "it crosses the "
                        "network in clear",
                        route.to.name),
            "upstream tls.mode: verify-full, or scram");
  }
}

void check_server_auth(const joined_route& route) {
  const auto& in = route.in;
  if (route.self.login) {
    in.problem(route.key("credentials"), "has no use where the server authenticates the client",
               "auth: {method: scram}, or to be left out");
  }
  for (std::size_t i = 0; i < route.listeners.size(); ++i)
    check_scram_road(route, route.from(i));
  for (std::size_t i = 0; i < route.listeners.size(); ++i)
    warn_of_cleartext(route, route.from(i));
}

void check_scram_auth(const joined_route& route) {
  const auto& auth = route.self.auth;
  if (!auth.verifier_file.empty() && auth.query) {
    route.in.problem(route.key("auth.query"), "stands beside verifierFile; only one can tell",
                     "one of the two");
  }
  const bool nothing = auth.verifier_file.empty() && !auth.query && !route.self.login;
  if (nothing && route.in.state.sound(route.key("auth")) && route.in.state.sound(route.key("credentials"))) {
    route.in.problem(route.key("auth"), "scram has nothing to check a client against",
                     "auth.verifierFile, auth.query or credentials");
  }
  const bool knows_no_password = route.self.login && route.self.login->usual.password.empty() &&
                                 route.self.login->usual.password_file.empty() &&
                                 auth.verifier_file.empty() && !auth.query &&
                                 route.in.state.sound(route.key("credentials"));
  if (knows_no_password) {
    route.in.problem(route.key("credentials"),
                     "has no password, and scram has nothing else to check a client against",
                     "passwordFile or password, or auth.verifierFile or auth.query");
  }
}

void check_trust_auth(const joined_route& route) {
  for (std::size_t i = 0; i < route.listeners.size(); ++i) {
    const auto& from = route.from(i);
    const bool near = from.address.is_local() && !from.speaks_proxy_protocol();
    if (near) continue;
    route.in.problem(
        route.key("auth.method"),
        fmt::format("trust would let anyone in who reaches listener `{}` at {}{}", from.name,
                    from.address.text(), from.speaks_proxy_protocol() ? " through its proxy" : ""),
        "server or scram, or match.listener to name only unix sockets and loopback addresses");
  }
}

void check_auth_keys(const joined_route& route) {
  const auto& auth = route.self.auth;
  if (auth.method == auth_method::scram) return;
  const auto method = name_of(auth_methods, auth.method);
  if (!auth.verifier_file.empty()) {
    route.in.problem(route.key("auth.verifierFile"), fmt::format("has no use with method {}", method),
                     "method: scram");
  }
  if (auth.query) {
    route.in.problem(route.key("auth.query"), fmt::format("has no use with method {}", method),
                     "method: scram");
  }
}

bool is_setting_name(std::string_view name) {
  const bool characters = std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
  return characters && !name.empty() && name.size() <= limits::config_name_bytes &&
         !(name.front() >= '0' && name.front() <= '9');
}

void check_parameters(const joined_route& route) {
  // Half of what PostgreSQL takes as a start-up packet; the rest is the client's.
  constexpr std::size_t bytes_max = limits::startup_packet_bytes / 2;
  std::size_t bytes = 0;
  for (const auto& [name, value] : route.self.parameters) {
    bytes += name.size() + value.size() + 2;
    const bool reserved = name == "user" || name == "database" || name == "replication" ||
                          name == "options" || name.starts_with("_pq_.");
    const auto shown = quote(name);
    const auto key = route.key("settings." + shown.substr(1, shown.size() - 2));
    if (reserved)
      route.in.problem(key, "is part of the start-up itself, not a setting", "the name of a server setting");
    if (!reserved && !is_setting_name(name)) {
      route.in.problem(key, "is not the name of a setting", "letters, digits, '_' and '.'");
    }
  }
  if (bytes > bytes_max) {
    route.in.problem(route.key("settings"), fmt::format("takes {} bytes of the start-up packet", bytes),
                     fmt::format("at most {}", bytes_max));
  }
}

bool all_sound(const check_input& in, const std::string& parent,
               std::initializer_list<std::string_view> leaves) {
  return std::all_of(leaves.begin(), leaves.end(),
                     [&](std::string_view leaf) { return in.state.sound(parent + std::string(leaf)); });
}

/// Of a role that the gateway makes: short, since the principal and the grant's number follow.
bool is_role_prefix(std::string_view prefix) {
  const bool characters = std::all_of(prefix.begin(), prefix.end(), [](char c) {
    return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
  });
  return characters && !prefix.empty() && prefix.size() <= limits::role_prefix_bytes &&
         !prefix.starts_with("pg_");
}

void check_credentials(const joined_route& route) {
  if (!route.self.login || !all_sound(route.in, route.key("credentials"), {"", ".user", ".ephemeral"}))
    return;
  const auto& login = *route.self.login;
  if (!login.ephemeral) {
    if (login.usual.user.empty())
      route.in.problem(route.key("credentials.user"), "is missing", "the user at the server, or ephemeral");
    return;
  }
  const auto& in = route.in;
  if (!is_role_prefix(login.ephemeral->prefix))
    in.problem(
        route.key("credentials.ephemeral.prefix"), "is not what a role's name can begin with here",
        fmt::format("1 to {} letters, digits, '_', '-' and '.', and not pg_", limits::role_prefix_bytes));
  if (route.self.target != route_target::primary)
    in.problem(route.key("credentials.ephemeral"),
               "needs `target: primary`: other servers know of a role only when they have replayed it",
               "target: primary, or to be left out");
  const auto& policies = in.value.access.policies;
  if (std::none_of(policies.begin(), policies.end(),
                   [](const auto& each) { return each.approval.has_value(); }))
    in.warn(route.key("credentials.ephemeral"), "never makes a role: no policy gives grants",
            "access.policies with an approval");
}

void check_server_names(const joined_route& route) {
  if (route.self.match.server_names.empty() || route.listeners.empty()) return;
  for (std::size_t i = 0; i < route.listeners.size(); ++i) {
    if (route.from(i).tls.mode != listener_tls_mode::disable) return;
  }
  route.in.warn(route.key("match.serverName"), "never fits: none of its listeners speaks TLS",
                "a listener with TLS, or the key left out");
}

void check_target(const joined_route& route) {
  const bool several = route.to.endpoints.size() > 1 || route.to.found.kind != discovery_kind::none;
  const bool watched = route.to.health && !route.to.health->user.empty();
  if (!several || watched || route.self.target == route_target::any) return;
  route.in.warn(
      route.key("target"),
      fmt::format("nobody asks the servers of `{}` for their roles: they are learned from logins, some of "
                  "which are refused for that",
                  route.to.name),
      "health with a user on the upstream, target: any, or a single endpoint");
}

/// The first route that ends TLS on the way to an upstream of the file is an object: it is not the file's
/// problem that `tls` there was never meant for that.
void check_upstream_tls(const joined_route& route) {
  const bool ends = std::any_of(route.listeners.begin(), route.listeners.end(), [&](std::size_t i) {
    return route.in.value.listeners[i].tls.mode != listener_tls_mode::passthrough;
  });
  if (route.self.name_space.empty() || !route.to.name_space.empty() || !ends) return;
  if (tls_passes_through(route.in.value, route.to, true))
    check_server_tls(route.in, route.to.tls, route.key("upstream"),
                     !route.to.found.in_kubernetes.ca_secret.empty());
}

/// A shared server connection was logged in for nobody in particular.
void check_pooling(const joined_route& route) {
  const auto& self = route.self;
  if (self.pooling == pooling_mode::off) {
    if (self.on_unsafe == unsafe_policy::refuse)
      route.in.problem(route.key("onUnsafe"), "has no use without pooling", "pooling: transaction");
    return;
  }
  const auto mode = name_of(pooling_modes, self.pooling);
  if (self.auth.method == auth_method::server) {
    route.in.problem(
        route.key("pooling"),
        fmt::format("`{}` needs the gateway to authenticate clients: a server asks each client for a "
                    "proof of its own",
                    mode),
        "auth: {method: scram}, or off");
  }
  if (route.to.proxy_protocol != proxy_header::off) {
    route.in.problem(
        route.key("pooling"),
        fmt::format("`{}` does not go with upstreams[{}].proxyProtocol, which names one client to the "
                    "server for each connection",
                    mode, self.upstream_index),
        "off, or an upstream without proxyProtocol");
  }
}

}  // namespace

void check_route(const check_input& in, std::size_t index) {
  const auto& self = in.value.routes[index];
  const auto key = fmt::format("routes[{}]", index);
  check_listener_names(in, self, index);
  const auto upstream_key = fmt::format("upstreams[{}]", self.upstream_index);
  if (self.upstream_index >= in.value.upstreams.size()) return;
  const auto& to = in.value.upstreams[self.upstream_index];
  if (to.name != self.upstream || !all_sound(in, key, {".match", ".auth.method"})) return;
  if (!all_sound(in, upstream_key, {".endpoints", ".tls.mode", ".tls.sameCertificate"})) return;

  joined_route route{in, index, self, to, {}};
  for (std::size_t i = 0; i < in.value.listeners.size(); ++i) {
    const bool known = all_sound(in, fmt::format("listeners[{}]", i), {".name", ".address", ".tls.mode"});
    if (known && may_come_from(self.match, in.value.listeners[i])) route.listeners.push_back(i);
  }
  check_auth_keys(route);
  check_identity(in, index, route.listeners);
  if (all_sound(in, key, {".pooling", ".onUnsafe"})) check_pooling(route);
  if (self.auth.method == auth_method::server) check_server_auth(route);
  if (self.auth.method == auth_method::scram) check_scram_auth(route);
  if (self.auth.method == auth_method::trust) check_trust_auth(route);
  for (std::size_t i = 0; i < route.listeners.size(); ++i) {
    if (route.from(i).tls.mode == listener_tls_mode::passthrough) check_passthrough(route, route.from(i));
  }
  check_parameters(route);
  check_credentials(route);
  check_server_names(route);
  check_target(route);
  check_upstream_tls(route);
}

}  // namespace trunkline::config
