// The configuration after parsing and validation: plain values, immutable once published as a `snapshot`.
// One reload makes one new snapshot; whoever holds the old one may go on with it (a session keeps the one it
// began with). Values are checked by config/load.h; code that reads them need not check again.
// Durations are milliseconds and 0 means "none" unless a field says otherwise. Any thread may read.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/redacted.h"
#include "config/access.h"
#include "config/identity.h"
#include "config/kubernetes.h"
#include "config/network_range.h"

namespace trunkline::config {

using std::chrono::milliseconds;

/// `host:port`, `[v6]:port` or `unix:/path`.
struct address {
  std::string host = {};   ///< IP literal without brackets; a DNS name only in upstream endpoints
  std::uint16_t port = 0;  ///< 0 only for listeners: the kernel chooses
  std::string path = {};   ///< absolute path of the socket file itself; then host is empty

  bool is_unix() const { return !path.empty(); }
  /// Traffic does not leave this machine: a unix socket, 127.0.0.0/8, ::1 or "localhost".
  bool is_local() const;
  /// The form of the configuration file, with brackets around IPv6.
  std::string text() const;
  bool operator==(const address&) const = default;
};

enum class tls_version : std::uint8_t { tls1_2, tls1_3 };

// ---- listeners ----

/// wire.md 2, client leg.
enum class listener_tls_mode : std::uint8_t { disable, allow, require, passthrough };
enum class client_certificate : std::uint8_t { none, request, require };

struct certificate {
  std::string cert_file;                  ///< PEM chain, leaf first
  std::string key_file;                   ///< PEM private key
  std::vector<std::string> server_names;  ///< lower-case globs for SNI; empty: the certificate's own names
  bool operator==(const certificate&) const = default;
};

struct listener_tls {
  listener_tls_mode mode = listener_tls_mode::require;
  std::vector<certificate> certificates;  ///< the first is used where no name fits
  std::string client_ca_file;             ///< empty: none
  client_certificate client_certificates = client_certificate::none;
  tls_version min_version = tls_version::tls1_2;
  bool operator==(const listener_tls&) const = default;
};

struct listener {
  std::string name;
  config::address address;
  listener_tls tls;
  std::vector<network_range> proxy_protocol_sources;  ///< empty: the PROXY protocol is not spoken
  std::size_t max_sessions = limits::sessions_per_listener;
  milliseconds login_timeout = limits::login_timeout;
  std::size_t max_half_open_logins = limits::half_open_logins;
  std::size_t max_half_open_logins_per_source = limits::half_open_logins_per_source;

  bool speaks_proxy_protocol() const { return !proxy_protocol_sources.empty(); }
  bool operator==(const listener&) const = default;
};

// ---- routes ----

/// Every list that is not empty must have an entry that fits; an empty list fits everything.
struct route_match {
  std::vector<std::string> listeners;     ///< globs
  std::vector<std::string> server_names;  ///< lower-case globs for SNI; a client without SNI does not fit
  std::vector<std::string> databases;     ///< globs, case-sensitive as in PostgreSQL
  std::vector<std::string> users;         ///< globs, case-sensitive
  std::vector<network_range> sources;     ///< a client on a unix socket has no source and does not fit
  bool operator==(const route_match&) const = default;
};

/// A primary is a server that is not in recovery, verified at each login (product.md G9).
enum class route_target : std::uint8_t { primary, replica, prefer_replica, any };
enum class auth_method : std::uint8_t { server, scram, trust, cert, jwt, kubernetes };
/// The method says who a client is, beside the user that it wants to be.
constexpr bool tells_identity(auth_method method) {
  return method == auth_method::cert || method == auth_method::jwt || method == auth_method::kubernetes;
}

/// How to ask the server for a user's SCRAM verifier. The query has one parameter, the user's name, and
/// returns name and verifier (as in pg_authid) in its first two columns.
struct auth_query {
  std::string sql;
  std::string user;
  secret_text password;       ///< from `password` or the content of `passwordFile`; may be empty
  std::string password_file;  ///< for messages and the file watch; `password` already holds its content
  std::string database;
  bool operator==(const auth_query& other) const;
};

struct route_auth {
  auth_method method = auth_method::server;
  std::string verifier_file;  ///< scram: lines as in pg_authid; empty: none
  std::optional<auth_query> query;
  std::optional<certificate_auth> certificate;
  std::optional<jwt_auth> jwt;
  std::optional<kubernetes_auth> kubernetes;
  std::vector<user_rule> user_map;  ///< empty: the user is named as the principal is
  bool disconnect_expired = false;  ///< a session ends with the token or certificate that it began with
  bool operator==(const route_auth&) const = default;
};

/// A user at the server, for the gateway's own logins there.
struct server_user {
  std::string user = {};
  secret_text password = {};       ///< from `password` or the content of `passwordFile`; may be empty
  std::string password_file = {};  ///< for messages and the file watch; `password` already holds its content
  bool operator==(const server_user& other) const;
};

struct principal_user {
  std::vector<std::string> principals;  ///< globs
  server_user as;
  bool operator==(const principal_user&) const = default;
};

/// Roles at the server that live as long as a grant (docs/credentials.md).
struct ephemeral_roles {
  server_user as = {};                      ///< who makes and drops them
  std::vector<std::string> member_of = {};  ///< beside the policy's role
  std::string prefix = {};                  ///< of their names
  std::string reassign_to = {};  ///< gets what they own at their end; empty: the first of their roles
  std::string database = {};     ///< where `as` looks for those that a crash has left behind
  bool operator==(const ephemeral_roles&) const = default;
};

/// How a server is told for whom the gateway has logged in.
enum class principal_note : std::uint8_t { off, application_name, setting };

/// How the gateway logs in to the server where it does so itself.
struct credentials {
  server_user usual;                       ///< without a name: there is none, only roles of grants
  std::vector<principal_user> principals;  ///< the first that fits comes before `usual`
  principal_note note = principal_note::off;
  std::optional<ephemeral_roles> ephemeral = {};  ///< for sessions that a grant has let in
  const server_user& of(std::string_view principal) const;
  bool operator==(const credentials&) const = default;
};

struct route_limits {
  std::size_t max_sessions = 0;                ///< 0: only the listener's limit counts
  std::size_t max_sessions_per_principal = 0;  ///< 0: no limit of its own
  milliseconds idle_timeout{0};
  milliseconds transaction_timeout{0};
  milliseconds session_timeout{0};
  bool operator==(const route_limits&) const = default;
};

/// Who has a server connection, and for how long.
enum class pooling_mode : std::uint8_t { off, session, transaction };
/// What cannot be carried to another server connection: keep the client on this one, or an error.
enum class unsafe_policy : std::uint8_t { pin, refuse };

struct route {
  std::string name;        ///< "namespace/name" where it is an object of Kubernetes
  std::string name_space;  ///< of that object; empty: the file's
  route_match match;
  std::string upstream;
  std::size_t upstream_index = 0;  ///< into settings::upstreams
  route_target target = route_target::primary;
  std::string database;  ///< the database at the server; empty: the one that the client asks for
  pooling_mode pooling = pooling_mode::off;
  unsafe_policy on_unsafe = unsafe_policy::pin;
  route_auth auth;
  std::optional<config::credentials> login;                     ///< key `credentials`
  std::vector<std::pair<std::string, std::string>> parameters;  ///< key `settings`: sent at start-up
  route_limits limits;
  bool operator==(const route&) const = default;
};

// ---- upstreams ----

/// As libpq names them (wire.md 2, server leg). Never used on a unix socket, whatever it says.
enum class upstream_tls_mode : std::uint8_t { disable, prefer, require, verify_ca, verify_full };
enum class proxy_header : std::uint8_t { off, v1, v2 };

struct upstream_tls {
  upstream_tls_mode mode = upstream_tls_mode::verify_full;
  std::string ca_file = {};  ///< empty with verify-*: the system's trust store
  std::string cert_file = {};
  std::string key_file = {};
  bool direct = false;  ///< TLS from the first byte, ALPN `postgresql` (PostgreSQL 17)
  /// The operator says that the server shows the very certificate of the listener, which lets `auth: server`
  /// forward SCRAM over TLS on both legs (wire.md 3). To be verified at each server login.
  bool same_certificate = false;
  bool operator==(const upstream_tls&) const = default;
};

enum class discovery_kind : std::uint8_t { none, dns, srv, kubernetes };

/// Where endpoints come from beside those that are written down.
struct discovery {
  discovery_kind kind = discovery_kind::none;
  std::string name;           ///< what is looked up: addresses (dns) or services (srv)
  std::uint16_t port = 5432;  ///< of dns
  std::string resolver;  ///< "10.0.0.10:53"; empty: as /etc/resolv.conf says. Also for names of endpoints
  kubernetes_discovery in_kubernetes = {};
  bool operator==(const discovery&) const = default;
};

/// What the gateway asks every endpoint for, at an interval and at once when a session sees one fail.
struct health {
  milliseconds interval = limits::health_interval;
  milliseconds timeout = limits::health_timeout;
  std::string user;           ///< empty: only whether the server accepts connections is known
  secret_text password;       ///< from `password` or the content of `passwordFile`; may be empty
  std::string password_file;  ///< for messages and the file watch; `password` already holds its content
  std::string database;
  milliseconds max_replica_lag{0};  ///< 0: any
  milliseconds slow_start = limits::slow_start;
  bool operator==(const health& other) const;
};

/// Which endpoints are in a zone.
struct zone {
  std::string name;
  std::vector<std::string> endpoints;  ///< globs of endpoint names, such as "10.0.1.*"
  bool operator==(const zone&) const = default;
};

/// Of server connections that clients share.
struct pool_limits {
  std::size_t size = limits::pool_size;
  std::size_t min_idle = 0;
  std::size_t max_connections = 0;                    ///< of all pools of the upstream; 0: no bound
  std::size_t per_user = 0;                           ///< of all its pools with one user; 0: no bound
  milliseconds max_lifetime = limits::pool_lifetime;  ///< 0: no end
  milliseconds idle_timeout = limits::pool_idle;      ///< 0: no end
  bool operator==(const pool_limits&) const = default;
};

struct upstream {
  std::string name;        ///< as a route's
  std::string name_space;  ///< the same
  /// Namespaces whose routes may lead here; globs. The upstream's own may always.
  std::vector<std::string> allowed_namespaces;
  std::vector<address> endpoints;  ///< at least one, unless there is `found`
  discovery found;                 ///< key `discovery`
  std::optional<config::health> health;
  std::vector<zone> zones;
  std::size_t max_logins =
      limits::logins_per_endpoint;             ///< key `pool.maxLogins`: at a time, for each endpoint
  milliseconds max_wait = limits::login_wait;  ///< key `pool.maxWait`: for one's turn, or a pooled connection
  pool_limits pool;                            ///< of each pool of server connections
  milliseconds hold{0};                        ///< key `failover.hold`; 0: fail at once
  upstream_tls tls;
  milliseconds connect_timeout = limits::connect_timeout;
  proxy_header proxy_protocol = proxy_header::off;  ///< sent to the server before anything else
  /// The gateway's own password may go out as cleartext on a leg that is neither TLS nor local (G12).
  bool allow_cleartext_password = false;

  bool uses_tls(const address& endpoint) const {
    return tls.mode != upstream_tls_mode::disable && !endpoint.is_unix();
  }
  bool operator==(const upstream&) const = default;
};

// ---- replicas ----

/// The gateways that clients reach at one address: which of them this one is, and where the others are.
struct replicas {
  std::uint16_t number = 0;        ///< 1 to 1023; 0: `auto`
  secret_text key;                 ///< what `keyFile` holds, any bytes; empty: none
  std::string key_file;            ///< for messages and the file watch
  std::vector<address> endpoints;  ///< key `peers.endpoints`; this gateway may be among them
  discovery found;                 ///< keys `peers.dns` and `peers.resolver`
  upstream_tls tls = {.mode = upstream_tls_mode::prefer};

  bool has_peers() const { return !endpoints.empty() || found.kind != discovery_kind::none; }
  bool operator==(const replicas& other) const;
};

// ---- the rest ----

/// Both legs. `idle` 0 turns keepalive off; `user_timeout` 0 leaves TCP_USER_TIMEOUT to the system.
struct keepalive {
  std::chrono::seconds idle = limits::keepalive_idle;
  std::chrono::seconds interval = limits::keepalive_interval;
  int probes = limits::keepalive_probes;
  milliseconds user_timeout = limits::tcp_user_timeout;
  bool operator==(const keepalive&) const = default;
};

// ---- audit, admin, tracing ----

/// What of bind parameters is kept: nothing, their types and lengths, or their values.
enum class audit_parameters : std::uint8_t { off, redacted, full };
/// Sessions stop while events cannot be kept, or go on and the gap is counted and marked (product.md G10).
enum class audit_failure : std::uint8_t { block, go_on };
enum class audit_sink_type : std::uint8_t { file, standard_output };

struct audit_sink {
  audit_sink_type type = audit_sink_type::file;
  std::string path;  ///< absolute folder of the segments and their index; for `file` only
  /// A segment is closed when it has reached this size, or this age.
  std::size_t segment_bytes = limits::audit_segment_bytes;
  milliseconds segment_age = limits::audit_segment_age;
  bool operator==(const audit_sink&) const = default;
};

struct audit {
  std::vector<audit_sink> sinks;  ///< empty: no audit
  bool query_text = true;         ///< false: fingerprints and tags, without the text
  audit_parameters parameters = audit_parameters::redacted;
  audit_failure on_failure = audit_failure::block;
  bool operator==(const audit&) const = default;
};

/// The console: database `trunkline` (or `pgbouncer`) on every listener, SCRAM from its own file.
struct console {
  std::vector<std::string> users;    ///< globs
  std::vector<std::string> readers;  ///< globs; who is in both may do all
  std::string verifier_file;

  /// There is a console.
  bool is_open() const { return !users.empty() || !readers.empty(); }
  bool operator==(const console&) const = default;
};

struct admin {
  std::optional<config::address> address;  ///< none: no admin HTTP
  std::optional<config::address> status;   ///< where only health and metrics are shown, to whoever comes
  std::string tokens_file;      ///< who may ask for access and answer; empty: nobody has such a token
  std::optional<jwt_auth> jwt;  ///< whose tokens do that too; nothing: no issuer's
  config::console console;
  bool operator==(const admin&) const = default;
};

/// Spans of exchanges that carry a sampled `traceparent`, over OTLP/HTTP JSON.
struct tracing {
  std::string endpoint;  ///< such as http://127.0.0.1:4318/v1/traces; empty: none
  std::string ca_file;   ///< for https; empty: the system's trust store
  bool operator==(const tracing&) const = default;
};

struct settings {
  std::uint64_t generation = 0;  ///< 1 for the first snapshot of a process, then one more with each reload
  std::string file;              ///< where it came from
  std::vector<listener> listeners;
  std::vector<route> routes;  ///< first match wins
  std::vector<upstream> upstreams;
  config::keepalive keepalive;
  unsigned workers = 0;  ///< 0: `auto`, one per core this process may use
  std::string zone;      ///< where this gateway runs; empty: endpoints of all zones are the same to it
  milliseconds drain_delay{0};
  milliseconds drain_grace = limits::drain_grace;
  config::audit audit;
  config::access access;
  config::admin admin;
  config::tracing tracing;
  config::replicas replicas;
  kubernetes_access kubernetes;
  kubernetes_presence in_kubernetes;      ///< the rest of the key `kubernetes`
  std::vector<secret_file> secret_files;  ///< which of the files named above are Secrets, each once

  /// Somebody wants to know of every exchange.
  bool is_audited() const { return !audit.sinks.empty() || !tracing.endpoint.empty(); }
  bool operator==(const settings&) const = default;
};

using snapshot = std::shared_ptr<const settings>;

}  // namespace trunkline::config
