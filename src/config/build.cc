#include "config/build.h"

#include <tuple>

#include "config/build_access.h"
#include "config/build_identity.h"
#include "config/build_kubernetes.h"
#include "config/pod.h"

namespace trunkline::config {

namespace {

std::vector<std::string> lower_case(std::vector<std::string> list) {
  for (auto& text : list) {
    for (char& c : text)
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return list;
}

listener_tls build_listener_tls(section from, bool on_unix_socket) {
  listener_tls tls;
  // libpq never asks for TLS on a unix socket, so `require` as the default would lock everyone out.
  tls.mode = on_unix_socket ? listener_tls_mode::disable : listener_tls_mode::require;
  if (from.has("mode")) tls.mode = from.choice("mode", listener_tls_modes);
  for (auto& entry : from.children("certificates")) {
    certificate made;
    made.cert_file = entry.file("certFile");
    made.key_file = entry.file("keyFile");
    made.server_names = lower_case(entry.texts("serverNames"));
    tls.certificates.push_back(std::move(made));
  }
  tls.client_ca_file = from.file("clientCaFile");
  tls.client_certificates = from.choice("clientCertificate", client_certificate_modes);
  tls.min_version = from.choice("minVersion", tls_versions);
  return tls;
}

listener build_listener(section& from) {
  listener made;
  made.name = from.text("name");
  made.address = from.listen_address("address").value_or(address{});
  made.tls = build_listener_tls(from.child("tls"), made.address.is_unix());
  made.proxy_protocol_sources = from.child("proxyProtocol").ranges("trustedSources");
  made.max_sessions = static_cast<std::size_t>(from.integer("maxSessions"));
  made.login_timeout = from.duration("loginTimeout");
  made.max_half_open_logins = static_cast<std::size_t>(from.integer("maxHalfOpenLogins"));
  made.max_half_open_logins_per_source = static_cast<std::size_t>(from.integer("maxHalfOpenLoginsPerSource"));
  return made;
}

route_match build_match(section from) {
  route_match match;
  match.listeners = from.texts("listener");
  match.server_names = lower_case(from.texts("serverName"));
  match.databases = from.texts("database");
  match.users = from.texts("user");
  match.sources = from.ranges("source");
  return match;
}

route_auth build_auth(section from) {
  route_auth auth;
  auth.method = from.choice("method", auth_methods);
  auth.verifier_file = from.file_or_secret("verifier");
  build_identity(from, auth);
  auto query = from.child("query");
  if (!query.present()) return auth;
  auth_query made;
  made.sql = query.text("sql");
  made.user = query.text("user");
  std::tie(made.password, made.password_file) = query.password();
  made.database = query.text("database");
  auth.query = std::move(made);
  return auth;
}

server_user build_server_user(section& from) {
  server_user made;
  made.user = from.text("user");
  std::tie(made.password, made.password_file) = from.password();
  return made;
}

std::optional<ephemeral_roles> build_ephemeral(section from) {
  if (!from.present()) return std::nullopt;
  ephemeral_roles made;
  made.as = build_server_user(from);
  made.member_of = from.texts("memberOf");
  made.prefix = from.text("prefix");
  made.reassign_to = from.text("reassignTo");
  made.database = from.text("database");
  return made;
}

std::optional<credentials> build_credentials(section from) {
  if (!from.present()) return std::nullopt;
  credentials made;
  made.usual = build_server_user(from);
  for (section& each : from.children("principals"))
    made.principals.push_back({.principals = each.texts("principal"), .as = build_server_user(each)});
  made.note = from.choice("principalAs", principal_notes);
  made.ephemeral = build_ephemeral(from.child("ephemeral"));
  return made;
}

route_limits build_limits(section from) {
  route_limits made;
  made.max_sessions = static_cast<std::size_t>(from.integer("maxSessions"));
  made.max_sessions_per_principal = static_cast<std::size_t>(from.integer("maxSessionsPerPrincipal"));
  made.idle_timeout = from.duration("idleTimeout");
  made.transaction_timeout = from.duration("transactionTimeout");
  made.session_timeout = from.duration("sessionTimeout");
  return made;
}

route build_route(section& from) {
  route made;
  made.name = from.text("name");
  made.name_space = from.name_space();
  made.match = build_match(from.child("match"));
  made.upstream = from.text("upstream");
  made.target = from.choice("target", route_targets);
  made.database = from.text("database");
  made.pooling = from.choice("pooling", pooling_modes);
  made.on_unsafe = from.choice("onUnsafe", unsafe_policies);
  made.auth = build_auth(from.child("auth"));
  made.login = build_credentials(from.child("credentials"));
  made.parameters = from.parameters("settings");
  made.limits = build_limits(from.child("limits"));
  return made;
}

upstream_tls build_upstream_tls(section from, const std::vector<address>& endpoints, const discovery& found) {
  upstream_tls tls;
  const bool stays_here =
      found.kind == discovery_kind::none && !endpoints.empty() &&
      std::all_of(endpoints.begin(), endpoints.end(), [](const address& at) { return at.is_local(); });
  tls.mode = stays_here ? upstream_tls_mode::disable : upstream_tls_mode::verify_full;
  if (from.has("mode")) tls.mode = from.choice("mode", upstream_tls_modes);
  tls.ca_file = from.file_or_secret("ca");
  std::tie(tls.cert_file, tls.key_file) = from.certificate_files();
  tls.direct = from.boolean("direct");
  tls.same_certificate = from.boolean("sameCertificate");
  return tls;
}

discovery build_discovery(section from) {
  discovery made;
  if (!from.present()) return made;
  made.resolver = from.text("resolver");
  section dns = from.child("dns");
  section srv = from.child("srv");
  section kubernetes = from.child("kubernetes");
  if (srv.present()) {
    made.kind = discovery_kind::srv;
    made.name = srv.text("name");
  }
  if (dns.present()) {
    made.kind = discovery_kind::dns;
    made.name = dns.text("name");
    made.port = static_cast<std::uint16_t>(dns.integer("port"));
  }
  if (kubernetes.present()) {
    made.kind = discovery_kind::kubernetes;
    made.in_kubernetes = build_kubernetes_discovery(kubernetes);
  }
  return made;
}

std::optional<health> build_health(section from) {
  if (!from.present()) return std::nullopt;
  health made;
  made.interval = from.duration("interval");
  made.timeout = from.duration("timeout");
  made.user = from.text("user");
  std::tie(made.password, made.password_file) = from.password();
  made.database = from.text("database");
  made.max_replica_lag = from.duration("maxReplicaLag");
  made.slow_start = from.duration("slowStart");
  return made;
}

upstream build_upstream(section& from) {
  upstream made;
  made.name = from.text("name");
  made.name_space = from.name_space();
  made.allowed_namespaces = from.texts("allowedNamespaces");
  made.endpoints = from.endpoints("endpoints");
  made.found = build_discovery(from.child("discovery"));
  made.health = build_health(from.child("health"));
  for (auto& entry : from.children("zones"))
    made.zones.push_back({.name = entry.text("name"), .endpoints = entry.texts("endpoints")});
  section pool = from.child("pool");
  made.max_logins = static_cast<std::size_t>(pool.integer("maxLogins"));
  made.max_wait = pool.duration("maxWait");
  made.pool.size = static_cast<std::size_t>(pool.integer("size"));
  made.pool.min_idle = static_cast<std::size_t>(pool.integer("minIdle"));
  made.pool.max_connections = static_cast<std::size_t>(pool.integer("maxConnections"));
  made.pool.per_user = static_cast<std::size_t>(pool.integer("perUser"));
  made.pool.max_lifetime = pool.duration("maxLifetime");
  made.pool.idle_timeout = pool.duration("idleTimeout");
  made.hold = from.child("failover").duration("hold");
  made.tls = build_upstream_tls(from.child("tls"), made.endpoints, made.found);
  made.connect_timeout = from.duration("connectTimeout");
  made.proxy_protocol = from.choice("proxyProtocol", proxy_headers);
  made.allow_cleartext_password = from.boolean("allowCleartextPassword");
  return made;
}

/// The kernel counts TCP_KEEPIDLE and TCP_KEEPINTVL in seconds.
std::chrono::seconds whole_seconds(load_state& state, const node& root, section& from, std::string_view key) {
  const auto value = from.duration(key);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(value);
  if (seconds != value) {
    state.problem(locate(root, from.path_of(key)), from.path_of(key), "is not in whole seconds",
                  "such as 30s");
  }
  return seconds;
}

keepalive build_keepalive(load_state& state, const node& root, section from) {
  keepalive made;
  made.idle = whole_seconds(state, root, from, "idle");
  made.interval = whole_seconds(state, root, from, "interval");
  made.probes = static_cast<int>(from.integer("probes"));
  made.user_timeout = from.duration("userTimeout");
  return made;
}

audit_sink build_audit_sink(section from) {
  audit_sink made;
  made.type = from.choice("type", audit_sink_types);
  made.path = from.folder("path");
  made.segment_bytes = from.size("segmentSize");
  made.segment_age = from.duration("segmentAge");
  return made;
}

audit build_audit(section from) {
  audit made;
  if (!from.present()) return made;
  for (auto& entry : from.children("sinks"))
    made.sinks.push_back(build_audit_sink(entry));
  made.query_text = from.boolean("queryText");
  made.parameters = from.choice("parameters", audit_parameter_modes);
  made.on_failure = from.choice("onFailure", audit_failures);
  return made;
}

replicas build_replicas(section from) {
  replicas made;
  made.number = static_cast<std::uint16_t>(from.workers("number", "the number of a replica"));
  std::tie(made.key, made.key_file) = from.key_file("keyFile");
  section peers = from.child("peers");
  if (peers.present()) {
    made.endpoints = peers.endpoints("endpoints");
    made.found.resolver = peers.text("resolver");
  }
  if (section dns = peers.child("dns"); dns.present()) {
    made.found.kind = discovery_kind::dns;
    made.found.name = dns.text("name");
    made.found.port = static_cast<std::uint16_t>(dns.integer("port"));
  }
  section tls = from.child("tls");
  made.tls.mode = tls.choice("mode", upstream_tls_modes);
  made.tls.ca_file = tls.file("caFile");
  made.tls.cert_file = tls.file("certFile");
  made.tls.key_file = tls.file("keyFile");
  return made;
}

console build_console(section from) {
  console made;
  if (!from.present()) return made;
  made.users = from.texts("users");
  made.readers = from.texts("readers");
  made.verifier_file = from.file("verifierFile");
  return made;
}

admin build_admin(section from) {
  admin made;
  if (from.present()) made.address = from.listen_address("address");
  made.status = from.listen_address("status");
  made.tokens_file = from.file("tokensFile");
  made.jwt = build_bearer_tokens(from.child("jwt"));
  made.console = build_console(from.child("console"));
  return made;
}

}  // namespace

settings build_settings(load_state& state, const node& root) {
  settings made;
  made.generation = state.options().generation;
  made.file = state.file();
  state.has_objects = stands(root, "kubernetes.objects");
  section top(state, &root, "", "");
  section kubernetes = top.child("kubernetes");
  made.kubernetes = build_kubernetes_access(kubernetes);
  made.in_kubernetes = build_kubernetes_presence(kubernetes);
  for (auto& entry : top.children("listeners"))
    made.listeners.push_back(build_listener(entry));
  for (auto& entry : top.children("routes"))
    made.routes.push_back(build_route(entry));
  for (auto& entry : top.children("upstreams"))
    made.upstreams.push_back(build_upstream(entry));
  made.keepalive = build_keepalive(state, root, top.child("keepalive"));
  made.workers = top.workers("workers");
  made.zone = top.text("zone");
  section drain = top.child("drain");
  made.drain_delay = drain.duration("delay");
  made.drain_grace = drain.duration("grace");
  made.audit = build_audit(top.child("audit"));
  made.access = build_access(top.child("access"));
  made.admin = build_admin(top.child("admin"));
  made.replicas = build_replicas(top.child("replicas"));
  complete_kubernetes(made.routes, with_pod(made.kubernetes, state.options().environment));
  section tracing = top.child("tracing");
  made.tracing = {.endpoint = tracing.url("endpoint"), .ca_file = tracing.file("caFile")};
  for (const auto& [of, path] : state.secrets)
    made.secret_files.push_back({.path = path, .of = of});
  return made;
}

}  // namespace trunkline::config
