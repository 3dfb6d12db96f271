#include "config/schema.h"

#include <fmt/format.h>

#include <unordered_map>

#include "base/limits.h"
#include "config/enum_names.h"
#include "config/schema_access.h"
#include "config/schema_identity.h"
#include "config/schema_kubernetes.h"
#include "config/schema_secrets.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

using kind = value_kind;

template <class Names>
std::vector<std::string> words(const Names& names) {
  std::vector<std::string> result;
  result.reserve(names.size());
  for (const auto& entry : names)
    result.emplace_back(entry.name);
  return result;
}

template <class Duration>
std::string shown(Duration value) {
  return format_duration(std::chrono::duration_cast<milliseconds>(value));
}

constexpr std::int64_t hour_ms = 3'600'000;
constexpr std::int64_t count_max = 1'000'000;

// The tables stay as they are written: one key, one entry.
// clang-format off

void add_listeners(std::vector<schema_key>& to) {
  const std::string tls = "listeners[].tls";
  to.insert(to.end(), {
    {.path = "listeners", .kind = kind::mappings, .doc = "Where clients connect. At least one.", .required = true},
    {.path = "listeners[].name", .kind = kind::name, .doc = "For routes, logs and metrics; unique.", .required = true},
    {.path = "listeners[].address", .kind = kind::listen_address,
     .doc = "Where to listen. Port 0 lets the kernel choose; the log says which.", .required = true},
    {.path = tls, .kind = kind::mapping, .doc = "TLS on the client leg."},
    {.path = tls + ".mode", .kind = kind::choice,
     .doc = "`require` refuses clients without TLS, `allow` takes both, `disable` answers `N`; `passthrough` hands TLS "
            "to the server unopened and routes by server name.",
     .default_note = "`require`; `disable` on a unix socket", .choices = words(listener_tls_modes)},
    {.path = tls + ".certificates", .kind = kind::mappings,
     .doc = "Needed with `allow` and `require`. The first is shown to clients whose server name (SNI) fits none."},
    {.path = tls + ".certificates[].certFile", .kind = kind::file, .doc = "PEM: the certificate, then its chain.",
     .required = true},
    {.path = tls + ".certificates[].keyFile", .kind = kind::file, .doc = "PEM: the private key.", .required = true},
    {.path = tls + ".certificates[].serverNames", .kind = kind::texts,
     .doc = "Server names (SNI) for which this certificate is shown.", .default_note = "the certificate's own names"},
    {.path = tls + ".clientCaFile", .kind = kind::file, .doc = "PEM: who may have signed the certificates of clients."},
    {.path = tls + ".clientCertificate", .kind = kind::choice,
     .doc = "Whether clients are asked for a certificate, and refused without one.", .default_text = "none",
     .choices = words(client_certificate_modes)},
    {.path = tls + ".minVersion", .kind = kind::choice, .doc = "The oldest TLS version accepted.",
     .default_text = "1.2", .choices = words(tls_versions)},
    {.path = "listeners[].proxyProtocol", .kind = kind::mapping,
     .doc = "Expect the PROXY protocol (v1 or v2) from a load balancer in front."},
    {.path = "listeners[].proxyProtocol.trustedSources", .kind = kind::ranges,
     .doc = "Who may speak it; a header from anyone else ends the connection.",
     .required = true},
    {.path = "listeners[].maxSessions", .kind = kind::integer, .doc = "Sessions at a time; more get SQLSTATE 53300.",
     .default_text = std::to_string(limits::sessions_per_listener), .least = 1, .most = count_max},
    {.path = "listeners[].loginTimeout", .kind = kind::duration,
     .doc = "From accept to the first ReadyForQuery.", .default_text = shown(limits::login_timeout), .least = 100,
     .most = hour_ms},
    {.path = "listeners[].maxHalfOpenLogins", .kind = kind::integer,
     .doc = "Clients that have not finished logging in, at a time.",
     .default_text = std::to_string(limits::half_open_logins), .least = 1, .most = count_max},
    {.path = "listeners[].maxHalfOpenLoginsPerSource", .kind = kind::integer,
     .doc = "The same, from one source address.",
     .default_text = std::to_string(limits::half_open_logins_per_source), .least = 1, .most = count_max},
  });
}

void add_routes(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "routes", .kind = kind::mappings, .doc = "Which session goes where. The first that fits wins.",
     .required = true},
    {.path = "routes[].name", .kind = kind::name, .doc = "For logs and metrics; unique.", .required = true},
    {.path = "routes[].match", .kind = kind::mapping,
     .doc = "Every key given must fit; a list fits where one entry fits. Left out: everything fits."},
    {.path = "routes[].match.listener", .kind = kind::texts, .doc = "Names of listeners."},
    {.path = "routes[].match.serverName", .kind = kind::texts,
     .doc = "The server name (SNI) of the client's TLS; without SNI it does not fit."},
    {.path = "routes[].match.database", .kind = kind::texts, .doc = "The database that the client asks for."},
    {.path = "routes[].match.user", .kind = kind::texts, .doc = "The user that the client asks for."},
    {.path = "routes[].match.source", .kind = kind::ranges,
     .doc = "The client's address; a client on a unix socket does not fit."},
    {.path = "routes[].upstream", .kind = kind::text, .doc = "The name of an upstream.", .required = true},
    {.path = "routes[].target", .kind = kind::choice,
     .doc = "Which servers its sessions may start on. `primary`: one that is not in recovery, verified at each login. "
            "`replica`: one that is. `preferReplica`: a replica, or the primary where no replica will do. `any`: whatever "
            "accepts.",
     .default_text = "primary", .choices = words(route_targets)},
    {.path = "routes[].database", .kind = kind::text,
     .doc = "The database at the server, so that `app_ro` can be a second door to `app`.",
     .default_note = "the one that the client asks for"},
    {.path = "routes[].pooling", .kind = kind::choice,
     .doc = "`off`: one client, one server connection. `session`: a client has a server connection from its first "
            "statement to its end, and the next one gets it after a verified reset. `transaction`: only during each "
            "transaction (docs/pooling.md).",
     .default_text = "off", .choices = words(pooling_modes)},
    {.path = "routes[].onUnsafe", .kind = kind::choice,
     .doc = "With `pooling: transaction`, what cannot be carried to another server connection (temporary tables, SQL "
            "PREPARE, session advisory locks and so on): `pin` keeps the client on its server connection until it is "
            "gone, `refuse` is an error for the statement.",
     .default_text = "pin", .choices = words(unsafe_policies)},
    {.path = "routes[].auth", .kind = kind::mapping, .doc = "Who checks the client's identity."},
    {.path = "routes[].auth.method", .kind = kind::choice,
     .doc = "`server`: the server, through the gateway. `scram`: the gateway, which then logs in to the server itself. "
            "`trust`: nobody; only for listeners on unix sockets and loopback addresses. `cert`: the gateway, by the client's "
            "certificate. `jwt`: the gateway, by a token of an OpenID Connect issuer. `kubernetes`: the gateway, by the token "
            "of a service account ([identity.md](identity.md)).",
     .default_text = "server", .choices = words(auth_methods), .file_choices = {"trust"}},
    {.path = "routes[].auth.verifierFile", .kind = kind::file,
     .doc = "For `scram`: one line `\"user\" \"SCRAM-SHA-256$…\"` for each user, verifiers as in pg_authid."},
    secret_beside("routes[].auth.verifier", "The same, from a Secret of Kubernetes.", "users"),
    {.path = "routes[].auth.query", .kind = kind::mapping, .doc = "For `scram`: ask the server for the verifier."},
    {.path = "routes[].auth.query.sql", .kind = kind::text,
     .doc = "One parameter, the user's name; returns name and verifier.",
     .default_text = "SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname=$1"},
    {.path = "routes[].auth.query.user", .kind = kind::text, .doc = "Who asks.", .required = true},
    {.path = "routes[].auth.query.password", .kind = kind::secret, .doc = "Its password."},
    {.path = "routes[].auth.query.passwordFile", .kind = kind::file, .doc = "Its password, from a file."},
    secret_beside("routes[].auth.query.password", "Its password, from a Secret.", "password"),
    {.path = "routes[].auth.query.database", .kind = kind::text, .doc = "Where the query runs.",
     .default_text = "postgres"},
    {.path = "routes[].credentials", .kind = kind::mapping,
     .doc = "How the gateway logs in to the server where it does so itself (not with `server`). With `scram`, and no "
            "verifiers or query there, clients must know this user and password too."},
    {.path = "routes[].settings", .kind = kind::parameters,
     .doc = "Server settings (GUCs) sent at start-up, such as `statement_timeout: 30s`."},
    {.path = "routes[].limits", .kind = kind::mapping, .doc = "Bounds for the sessions of this route."},
  });
}

void add_route_limits(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "routes[].limits.maxSessions", .kind = kind::integer,
     .doc = "Sessions at a time; 0: only the listener's limit counts.", .default_text = "0", .most = count_max},
    {.path = "routes[].limits.maxSessionsPerPrincipal", .kind = kind::integer,
     .doc = "Sessions at a time of one principal (of one user, where the method knows no other name), counted once it has "
            "proved who it is; 0: no limit of its own.",
     .default_text = "0", .most = count_max},
    {.path = "routes[].limits.idleTimeout", .kind = kind::duration,
     .doc = "Ends a session that is silent outside a transaction; 0: never.", .default_text = "0"},
    {.path = "routes[].limits.transactionTimeout", .kind = kind::duration,
     .doc = "Ends a session whose transaction takes longer; 0: never.", .default_text = "0"},
    {.path = "routes[].limits.sessionTimeout", .kind = kind::duration,
     .doc = "Ends a session after this time, whatever it does; 0: never.", .default_text = "0"},
  });
}

void add_credentials(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "routes[].credentials.user", .kind = kind::text,
     .doc = "The user at the server. To be left out only beside `ephemeral`, where sessions without a grant are refused then."},
    {.path = "routes[].credentials.password", .kind = kind::secret, .doc = "Its password."},
    {.path = "routes[].credentials.passwordFile", .kind = kind::file,
     .doc = "Its password, from a file. Where the file changes, servers that still want the one before get it "
            "(docs/credentials.md)."},
    secret_beside("routes[].credentials.password", "Its password, from a Secret. Where it changes, servers that still want the one before get it.", "password"),
    {.path = "routes[].credentials.principals", .kind = kind::mappings,
     .doc = "Users at the server for some principals; the first that fits counts, and the user above for all others."},
    {.path = "routes[].credentials.principals[].principal", .kind = kind::texts, .doc = "Who the client is.",
     .required = true},
    {.path = "routes[].credentials.principals[].user", .kind = kind::text, .doc = "The user at the server.",
     .required = true},
    {.path = "routes[].credentials.principals[].password", .kind = kind::secret, .doc = "Its password."},
    {.path = "routes[].credentials.principals[].passwordFile", .kind = kind::file,
     .doc = "Its password, from a file."},
    secret_beside("routes[].credentials.principals[].password", "Its password, from a Secret.", "password"),
    {.path = "routes[].credentials.principalAs", .kind = kind::choice,
     .doc = "How the server is told who the client is, at the start of a session: behind its application_name, or in the "
            "setting `trunkline.principal`. For logs and pg_stat_activity; a session can change either.",
     .default_text = "off", .choices = words(principal_notes)},
    {.path = "routes[].credentials.ephemeral", .kind = kind::mapping,
     .doc = "A role of its own for each grant (docs/credentials.md): made when the grant's first session comes, and dropped "
            "with the grant. Only with `target: primary`."},
    {.path = "routes[].credentials.ephemeral.user", .kind = kind::text,
     .doc = "Who makes and drops them: a role with CREATEROLE that may grant `memberOf`.", .required = true},
    {.path = "routes[].credentials.ephemeral.password", .kind = kind::secret, .doc = "Its password."},
    {.path = "routes[].credentials.ephemeral.passwordFile", .kind = kind::file, .doc = "Its password, from a file."},
    secret_beside("routes[].credentials.ephemeral.password", "Its password, from a Secret.", "password"),
    {.path = "routes[].credentials.ephemeral.memberOf", .kind = kind::texts,
     .doc = "Roles that each is a member of, beside the policy's `role`."},
    {.path = "routes[].credentials.ephemeral.prefix", .kind = kind::text,
     .doc = "What their names begin with; the principal and the grant's number follow.", .default_text = "jit_"},
    {.path = "routes[].credentials.ephemeral.reassignTo", .kind = kind::text,
     .doc = "Who gets what they own when they are dropped; the policy's role, or the first of `memberOf`, where it is left "
            "out."},
    {.path = "routes[].credentials.ephemeral.database", .kind = kind::text,
     .doc = "Where roles are looked for that a crash has left behind.", .default_text = "postgres"},
  });
}

void add_upstreams(std::vector<schema_key>& to) {
  const std::string tls = "upstreams[].tls";
  to.insert(to.end(), {
    {.path = "upstreams", .kind = kind::mappings, .doc = "The servers. At least one.", .required = true},
    {.path = "upstreams[].name", .kind = kind::name, .doc = "For routes, logs and metrics; unique.", .required = true},
    {.path = "upstreams[].allowedNamespaces", .kind = kind::texts,
     .doc = "Namespaces whose PostgresRoutes may lead here ([kubernetes-objects.md](kubernetes-objects.md)); its own always "
            "may, where it has one.",
     .default_note = "none"},
    {.path = "upstreams[].endpoints", .kind = kind::endpoints,
     .doc = "Where the servers answer. A unix address is the socket file itself, such as "
            "`unix:/run/postgresql/.s.PGSQL.5432`. Needed where there is no `discovery`."},
    {.path = tls, .kind = kind::mapping, .doc = "TLS on the server leg; never used on a unix socket."},
    {.path = tls + ".mode", .kind = kind::choice, .doc = "As libpq's sslmode.",
     .default_note = "`verify-full`; `disable` where every endpoint is a unix socket or a loopback address",
     .choices = words(upstream_tls_modes)},
    {.path = tls + ".caFile", .kind = kind::file,
     .doc = "PEM: who must have signed the server's certificate (`verify-ca`, `verify-full`).",
     .default_note = "with `verify-full` the system's trust store"},
    secret_beside(tls + ".ca", "The same, from a Secret.", "ca.crt"),
    {.path = tls + ".certFile", .kind = kind::file, .doc = "PEM: the gateway's own certificate for the server."},
    {.path = tls + ".keyFile", .kind = kind::file, .doc = "PEM: its private key."},
    tls_secret_in(tls, "Both, `tls.crt` and `tls.key` of a Secret."),
    {.path = tls + ".direct", .kind = kind::boolean,
     .doc = "TLS from the first byte, without SSLRequest (PostgreSQL 17 and later).", .default_text = "false"},
    {.path = tls + ".sameCertificate", .kind = kind::boolean,
     .doc = "The server shows the same certificate as the listener, so that `auth: {method: server}` can carry SCRAM "
            "over TLS on both legs. Compared at each login; another certificate is refused.",
     .default_text = "false"},
    {.path = "upstreams[].connectTimeout", .kind = kind::duration,
     .doc = "For one endpoint: TCP connect and TLS.", .default_text = shown(limits::connect_timeout), .least = 10,
     .most = hour_ms},
    {.path = "upstreams[].proxyProtocol", .kind = kind::choice,
     .doc = "Tell the server the client's address in a PROXY header.", .default_text = "off",
     .choices = words(proxy_headers)},
    {.path = "upstreams[].allowCleartextPassword", .kind = kind::boolean,
     .doc = "Let the gateway answer a server that asks for its password in clear over a leg that is neither TLS nor "
            "local.",
     .default_text = "false"},
  });
}

void add_servers(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "upstreams[].discovery", .kind = kind::mapping,
     .doc = "Endpoints that come and go; `dns`, `srv` or `kubernetes`. What `endpoints` lists is there beside them."},
    {.path = "upstreams[].discovery.dns", .kind = kind::mapping,
     .doc = "Every address of a name is an endpoint of its own, as with a headless service."},
    {.path = "upstreams[].discovery.dns.name", .kind = kind::text, .doc = "The name.", .required = true},
    {.path = "upstreams[].discovery.dns.port", .kind = kind::integer, .doc = "The port of all of them.",
     .default_text = "5432", .least = 1, .most = 65'535},
    {.path = "upstreams[].discovery.srv", .kind = kind::mapping,
     .doc = "Every target of an SRV record is an endpoint, with the port that the record says."},
    {.path = "upstreams[].discovery.srv.name", .kind = kind::text,
     .doc = "The record's name, such as `_postgresql._tcp.db.prod.svc.cluster.local`.", .required = true},
    {.path = "upstreams[].discovery.resolver", .kind = kind::text,
     .doc = "The DNS server to ask, such as `10.96.0.10:53`, also for the names in `endpoints`.",
     .default_note = "as `/etc/resolv.conf` says"},
    {.path = "upstreams[].health", .kind = kind::mapping,
     .doc = "Ask every endpoint what it is. Left out: what is known comes from the sessions' own logins."},
    {.path = "upstreams[].health.interval", .kind = kind::duration, .doc = "Between two questions while all is well.",
     .default_text = shown(limits::health_interval), .least = 100, .most = hour_ms},
    {.path = "upstreams[].health.timeout", .kind = kind::duration,
     .doc = "An endpoint that has not answered for that long is down.",
     .default_text = shown(limits::health_timeout), .least = 50, .most = hour_ms},
    {.path = "upstreams[].health.user", .kind = kind::text,
     .doc = "Who asks. It needs no rights but to log in; SWITCHOVER also needs EXECUTE on pg_promote(). Left out: only "
            "whether the server accepts connections is known, not its role."},
    {.path = "upstreams[].health.password", .kind = kind::secret, .doc = "Its password."},
    {.path = "upstreams[].health.passwordFile", .kind = kind::file, .doc = "Its password, from a file."},
    secret_beside("upstreams[].health.password", "Its password, from a Secret.", "password"),
    {.path = "upstreams[].health.database", .kind = kind::text, .doc = "Where it logs in.",
     .default_text = "postgres"},
    {.path = "upstreams[].health.maxReplicaLag", .kind = kind::duration,
     .doc = "A replica that is further behind gets no new sessions; 0: however far.", .default_text = "0"},
    {.path = "upstreams[].health.slowStart", .kind = kind::duration,
     .doc = "For how long an endpoint that has just come up gets less than its share.",
     .default_text = shown(limits::slow_start), .most = hour_ms},
    {.path = "upstreams[].zones", .kind = kind::mappings,
     .doc = "Which endpoints are where. Those in the gateway's own `zone` are preferred."},
    {.path = "upstreams[].zones[].name", .kind = kind::name, .doc = "The zone.", .required = true},
    {.path = "upstreams[].zones[].endpoints", .kind = kind::texts,
     .doc = "Names of endpoints, such as `db-0.*` or `10.0.1.*`.", .required = true},
  });
}

void add_pools(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "upstreams[].pool", .kind = kind::mapping, .doc = "Server connections."},
    {.path = "upstreams[].pool.maxLogins", .kind = kind::integer,
     .doc = "Connections to one endpoint that are being opened at a time; others wait their turn.",
     .default_text = std::to_string(limits::logins_per_endpoint), .least = 1, .most = 10'000},
    {.path = "upstreams[].pool.maxWait", .kind = kind::duration,
     .doc = "How long for; then they are refused. Also how long a client waits for a pooled server connection.",
     .default_text = shown(limits::login_wait), .least = 1, .most = hour_ms},
    {.path = "upstreams[].pool.size", .kind = kind::integer,
     .doc = "Server connections of one pool at most, over all workers. A pool is for one target, database and user.",
     .default_text = std::to_string(limits::pool_size), .least = 1, .most = 10'000},
    {.path = "upstreams[].pool.minIdle", .kind = kind::integer,
     .doc = "Server connections that are kept ready in a pool that has clients.", .default_text = "0",
     .most = 10'000},
    {.path = "upstreams[].pool.maxConnections", .kind = kind::integer,
     .doc = "Server connections of all its pools together; where it is reached, pools share it evenly. 0: no bound.",
     .default_text = "0", .most = 100'000},
    {.path = "upstreams[].pool.perUser", .kind = kind::integer,
     .doc = "Server connections of all its pools with the same user at the server, together. 0: no bound.",
     .default_text = "0", .most = 100'000},
    {.path = "upstreams[].pool.maxLifetime", .kind = kind::duration,
     .doc = "A pooled server connection is replaced before it is older; 0: never.",
     .default_text = shown(limits::pool_lifetime), .most = 7 * 24 * hour_ms},
    {.path = "upstreams[].pool.idleTimeout", .kind = kind::duration,
     .doc = "A pooled server connection that nobody has used for so long is closed; 0: never.",
     .default_text = shown(limits::pool_idle), .most = 7 * 24 * hour_ms},
    {.path = "upstreams[].failover", .kind = kind::mapping, .doc = "What happens while no endpoint will do."},
    {.path = "upstreams[].failover.hold", .kind = kind::duration,
     .doc = "How long new sessions wait for one, such as for a new primary, instead of failing; 0: not at all.",
     .default_text = "0", .most = hour_ms},
  });
}

void add_rest(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "keepalive", .kind = kind::mapping, .doc = "TCP keepalive, on both legs."},
    {.path = "keepalive.idle", .kind = kind::duration, .doc = "Silence before the first probe, in whole seconds; 0: no "
     "keepalive.", .default_text = shown(limits::keepalive_idle), .most = 9 * hour_ms},
    {.path = "keepalive.interval", .kind = kind::duration, .doc = "Between probes, in whole seconds.",
     .default_text = shown(limits::keepalive_interval), .least = 1'000, .most = 9 * hour_ms},
    {.path = "keepalive.probes", .kind = kind::integer, .doc = "Unanswered probes until the connection is lost.",
     .default_text = std::to_string(limits::keepalive_probes), .least = 1, .most = 127},
    {.path = "keepalive.userTimeout", .kind = kind::duration,
     .doc = "TCP_USER_TIMEOUT: how long sent bytes may stay unacknowledged; 0: as the system does.",
     .default_text = shown(limits::tcp_user_timeout), .most = 24 * hour_ms},
    {.path = "workers", .kind = kind::workers, .doc = "Threads that carry sessions; `auto` is one for each core.",
     .default_text = "auto", .least = 1, .most = 256},
    {.path = "zone", .kind = kind::text, .doc = "Where this gateway runs; endpoints in the same zone are preferred."},
    {.path = "drain", .kind = kind::mapping, .doc = "What SIGTERM does."},
    {.path = "drain.delay", .kind = kind::duration,
     .doc = "How long sessions are still taken after `/readyz` says no, so that a load balancer can take the address out of its list.",
     .default_text = "0", .most = hour_ms},
    {.path = "drain.grace", .kind = kind::duration,
     .doc = "How long transactions may go on before their sessions are ended.",
     .default_text = shown(limits::drain_grace), .most = 24 * hour_ms},
    {.path = "audit", .kind = kind::mapping, .doc = "The audit of sessions and statements. Left out: none."},
    {.path = "audit.sinks", .kind = kind::mappings, .doc = "Where the events go. At least one.", .required = true},
    {.path = "audit.sinks[].type", .kind = kind::choice,
     .doc = "`file`: JSON lines in segments, with an index beside them. `stdout`: the same lines to standard output.",
     .default_text = "file", .choices = words(audit_sink_types)},
    {.path = "audit.sinks[].path", .kind = kind::folder,
     .doc = "For `file`, and needed there: the folder of the segments, for nobody else to use."},
    {.path = "audit.sinks[].segmentSize", .kind = kind::size, .doc = "A segment of that size is closed.",
     .default_text = format_size(limits::audit_segment_bytes), .least = 64 * 1024},
    {.path = "audit.sinks[].segmentAge", .kind = kind::duration, .doc = "A segment of that age is closed.",
     .default_text = shown(limits::audit_segment_age), .least = 1'000},
    {.path = "audit.queryText", .kind = kind::boolean,
     .doc = "Keep the texts of statements; passwords in them are never kept. Without it only fingerprints.",
     .default_text = "true"},
    {.path = "audit.parameters", .kind = kind::choice,
     .doc = "Of bind parameters: nothing, their types and lengths, or their values.", .default_text = "redacted",
     .choices = words(audit_parameter_modes)},
    {.path = "audit.onFailure", .kind = kind::choice,
     .doc = "Where events cannot be kept: `block` ends sessions and takes no new ones until they can; `continue` goes on, "
            "counts what is lost and tells of the gap.",
     .default_text = "block", .choices = words(audit_failures)},
    {.path = "tracing", .kind = kind::mapping, .doc = "Spans of exchanges that carry a sampled `traceparent`."},
    {.path = "tracing.endpoint", .kind = kind::url, .doc = "Where an OpenTelemetry collector takes OTLP/HTTP with JSON.",
     .required = true},
    {.path = "tracing.caFile", .kind = kind::file,
     .doc = "Authorities (PEM) that vouch for a collector behind https; without it the system's."},
  });
}

void add_replicas(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "replicas", .kind = kind::mapping,
     .doc = "The gateways behind one address, so that a cancel request that reaches one of them finds its session at another "
            "([cancel.md](cancel.md)). Left out: this one is alone."},
    {.path = "replicas.number", .kind = kind::workers,
     .doc = "Which of them this one is, best no two the same. `auto`: one more than the ordinal at the end of its host's name "
            "(`gateway-3` is 4), and from the whole name and the first listener where there is none.",
     .default_text = "auto", .least = 1, .most = 1023},
    {.path = "replicas.keyFile", .kind = kind::file,
     .doc = "A secret that all of them have, at least 32 random bytes: it tells a genuine cancel key, and a replica, from a "
            "guess. Another content is in force at once; the one before still counts for a day."},
    {.path = "replicas.peers", .kind = kind::mapping,
     .doc = "Where the others are: `endpoints`, `dns` or both. This gateway may be among them."},
    {.path = "replicas.peers.endpoints", .kind = kind::endpoints, .doc = "Listeners of the others, by name or address."},
    {.path = "replicas.peers.dns", .kind = kind::mapping,
     .doc = "Every address of a name is a replica, as with a headless service."},
    {.path = "replicas.peers.dns.name", .kind = kind::text, .doc = "The name.", .required = true},
    {.path = "replicas.peers.dns.port", .kind = kind::integer, .doc = "The port of a listener of theirs.",
     .required = true, .least = 1, .most = 65'535},
    {.path = "replicas.peers.resolver", .kind = kind::text,
     .doc = "The DNS server to ask, also for the names in `endpoints`.", .default_note = "as `/etc/resolv.conf` says"},
    {.path = "replicas.tls", .kind = kind::mapping, .doc = "TLS to the others."},
    {.path = "replicas.tls.mode", .kind = kind::choice, .doc = "As libpq's sslmode.", .default_text = "prefer",
     .choices = words(upstream_tls_modes)},
    {.path = "replicas.tls.caFile", .kind = kind::file,
     .doc = "PEM: who must have signed their certificates (`verify-ca`, `verify-full`).",
     .default_note = "with `verify-full` the system's trust store"},
    {.path = "replicas.tls.certFile", .kind = kind::file, .doc = "PEM: the certificate that they are shown."},
    {.path = "replicas.tls.keyFile", .kind = kind::file, .doc = "PEM: its private key."},
  });
}

void add_admin(std::vector<schema_key>& to) {
  to.insert(to.end(), {
    {.path = "admin", .kind = kind::mapping, .doc = "Metrics, health and API over HTTP. Left out: none of them."},
    {.path = "admin.address", .kind = kind::listen_address,
     .doc = "Where they are served, without TLS and without a password: on an address that others reach, they read it too. "
            "Port 0 lets the kernel choose; the log says which.",
     .default_text = "127.0.0.1:9630"},
    {.path = "admin.status", .kind = kind::listen_address,
     .doc = "A second address, for `/healthz`, `/readyz` and `/metrics` and nothing else: for probes and Prometheus, where `address` "
            "stays out of others' reach, as in a pod. Names of routes and upstreams and figures are all that is seen there.",
     .default_note = "none"},
    {.path = "admin.tokensFile", .kind = kind::file,
     .doc = "Who may ask for access, answer and revoke over the API: a line `NAME SHA256 GROUP,GROUP` for each token "
            "([access-requests.md](access-requests.md)).",
     .default_note = "nobody"},
  });
  add_admin_tokens(to);
  to.insert(to.end(), {
    {.path = "admin.console", .kind = kind::mapping,
     .doc = "The console: clients of database `trunkline` or `pgbouncer`, on any listener, are served by the gateway "
            "itself."},
    {.path = "admin.console.users", .kind = kind::texts, .doc = "Who may log in to it and run all commands."},
    {.path = "admin.console.readers", .kind = kind::texts, .doc = "Who may log in to it and run nothing but `SHOW`."},
    {.path = "admin.console.verifierFile", .kind = kind::file,
     .doc = "One line `\"user\" \"SCRAM-SHA-256$…\"` for each user, as for routes.", .required = true},
  });
}

// clang-format on

std::vector<schema_key> build_schema() {
  std::vector<schema_key> table;
  add_listeners(table);
  add_routes(table);
  add_route_limits(table);
  add_identity_keys(table);
  add_credentials(table);
  add_upstreams(table);
  add_servers(table);
  add_kubernetes_discovery(table);
  add_pools(table);
  add_rest(table);
  add_access_keys(table);
  add_replicas(table);
  add_kubernetes_access(table);
  add_admin(table);
  return table;
}

std::string expected_range(const schema_key& key, bool is_duration) {
  const auto show = [&](std::int64_t value) {
    return is_duration ? format_duration(milliseconds{value}) : std::to_string(value);
  };
  const bool open = key.most == std::numeric_limits<std::int64_t>::max();
  if (key.least > 0 && open) return fmt::format(", at least {}", show(key.least));
  if (!open) return fmt::format(", from {} to {}", show(key.least), show(key.most));
  return "";
}

}  // namespace

std::string_view schema_key::leaf() const {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? std::string_view(path) : std::string_view(path).substr(dot + 1);
}

std::string_view schema_key::parent() const {
  const auto dot = path.rfind('.');
  return dot == std::string::npos ? std::string_view{} : std::string_view(path).substr(0, dot);
}

const std::vector<schema_key>& schema() {
  static const std::vector<schema_key> table = build_schema();
  return table;
}

namespace {

/// A reload looks up some keys for each entry of each list.
struct schema_index {
  std::vector<schema_key> of_secrets = secret_keys();
  std::unordered_map<std::string_view, const schema_key*> by_path;
  std::unordered_map<std::string_view, std::vector<const schema_key*>> by_parent;
  std::unordered_map<std::string_view, schema_leaves> leaves;

  schema_index() {
    add(schema());
    add(of_secrets);
  }
  void add(const std::vector<schema_key>& keys) {
    for (const auto& key : keys) {
      by_path.emplace(key.path, &key);
      by_parent[key.parent()].push_back(&key);
      leaves[key.parent()].emplace(key.leaf(), &key);
    }
  }
};

const schema_index& indexed() {
  static const schema_index made;
  return made;
}

}  // namespace

bool is_for_objects(const schema_key& key) {
  switch (key.kind) {
    case kind::file:
    case kind::folder:
    case kind::secret:
    case kind::later:
      return false;
    default:
      return !key.file_only;
  }
}

const schema_key* find_key(std::string_view path) {
  const auto found = indexed().by_path.find(path);
  return found == indexed().by_path.end() ? nullptr : found->second;
}

const std::vector<const schema_key*>& keys_of(std::string_view parent) {
  static const std::vector<const schema_key*> none;
  const auto found = indexed().by_parent.find(parent);
  return found == indexed().by_parent.end() ? none : found->second;
}

const schema_leaves& leaves_of(std::string_view parent) {
  static const schema_leaves none;
  const auto found = indexed().leaves.find(parent);
  return found == indexed().leaves.end() ? none : found->second;
}

std::string enumerate(const std::vector<std::string>& list) {
  std::string text;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) text += i + 1 == list.size() ? " or " : ", ";
    text += list[i];
  }
  return text;
}

std::string expectation(const schema_key& key) {
  switch (key.kind) {
    case kind::mapping:
      return "a mapping";
    case kind::mappings:
      return "a list of mappings, with at least one";
    case kind::name:
      return fmt::format("a name of letters, digits, '-', '_' and '.', at most {}",
                         limits::config_name_bytes);
    case kind::text:
      return "a text";
    case kind::texts:
      return "a text or a list of texts; `*` and `?` are wildcards";
    case kind::integer:
      return "a whole number" + expected_range(key, false);
    case kind::boolean:
      return "true or false";
    case kind::duration:
      return (key.least > 0 ? "a duration such as 250ms, 30s, 5m or 1h"
                            : "a duration such as 250ms, 30s, 5m, 1h or 0") +
             expected_range(key, true);
    case kind::size:
      return "a size such as 64KiB or 256MiB" +
             (key.least > 0 ? ", at least " + format_size(static_cast<std::uint64_t>(key.least)) : "");
    case kind::folder:
      return "the path of a folder";
    case kind::url:
      return "an address that begins with http:// or https://";
    case kind::choice:
      return enumerate(key.choices);
    case kind::listen_address:
      return "an address such as 0.0.0.0:6432, [::]:6432 or unix:/run/trunkline.sock";
    case kind::endpoints:
      return "a list of addresses such as db.example.org:5432, [2001:db8::1]:5432 or unix:/path";
    case kind::ranges:
      return "a range such as 10.0.0.0/8 or 2001:db8::/32, or a list of them";
    case kind::file:
      return "the path of a readable file";
    case kind::secret:
      return "${NAME} of an environment variable, or the key passwordFile";
    case kind::secret_key:
      return "a Secret: {namespace, name, key}";
    case kind::tls_secret:
      return "a Secret: {namespace, name}";
    case kind::parameters:
      return "a mapping of setting names to values";
    case kind::workers:
      return "auto, or a whole number" + expected_range(key, false);
    case kind::later:
      return "to be left out";
  }
  return "";
}

}  // namespace trunkline::config
