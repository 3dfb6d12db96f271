#include "pgbouncer/setting_table.h"

#include <algorithm>
#include <array>

namespace trunkline::pgbouncer {

namespace {

using enum value_form;
using enum fate;

constexpr std::string_view cipher_word = "OpenSSL's own choice for TLS 1.2 and 1.3 is used";
constexpr std::string_view timeout_word = "such limits are for routes as a whole";

// The tables stay as they are written: one setting, one line or two.
// clang-format off

constexpr std::array globals{
    setting{"admin_users", text, "", mapped, "admin.console.users"},
    setting{"application_name_add_host", number, "0", no_equal, "the audit and SHOW SESSIONS have each client's address"},
    setting{"auth_dbname", text, "", mapped, "routes[].auth.query.database"},
    setting{"auth_file", text, "", mapped, "routes[].auth.verifierFile"},
    setting{"auth_hba_file", text, "", no_equal, "write its lines as routes: match.source, match.user, match.database"},
    setting{"auth_ident_file", text, "", no_equal, "there are no maps of user names"},
    setting{"auth_ldap_options", text, "", no_equal, "there is no LDAP"},
    setting{"auth_query", text,
            "SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END FROM pg_authid WHERE rolname=$1 AND rolcanlogin",
            mapped, "routes[].auth.query.sql; it must return SCRAM verifiers"},
    setting{"auth_type", text, "md5", mapped, "routes[].auth.method"},
    setting{"auth_user", text, "", mapped, "routes[].auth.query.user"},
    setting{"autodb_idle_timeout", seconds, "3600", not_needed, "a database that nobody uses costs nothing"},
    setting{"cancel_wait_timeout", seconds, "10", not_needed, "a cancel request waits for nothing"},
    setting{"client_idle_timeout", seconds, "0", mapped, "routes[].limits.idleTimeout"},
    setting{"client_login_timeout", seconds, "60", mapped, "listeners[].loginTimeout"},
    setting{"client_tls13_ciphers", text, "", no_equal, cipher_word},
    setting{"client_tls_ca_file", text, "", mapped, "listeners[].tls.clientCaFile"},
    setting{"client_tls_cert_file", text, "", mapped, "listeners[].tls.certificates[].certFile"},
    setting{"client_tls_ciphers", text, "default", no_equal, cipher_word},
    setting{"client_tls_dheparams", text, "auto", no_equal, cipher_word},
    setting{"client_tls_ecdhcurve", text, "auto", no_equal, cipher_word},
    setting{"client_tls_key_file", text, "", mapped, "listeners[].tls.certificates[].keyFile"},
    setting{"client_tls_protocols", text, "secure", mapped, "listeners[].tls.minVersion"},
    setting{"client_tls_sslmode", text, "disable", mapped, "listeners[].tls.mode"},
    setting{"conffile", text, "", no_equal, "the file is the one that the command names"},
    setting{"default_pool_size", number, "20", mapped, "upstreams[].pool.size"},
    setting{"disable_pqexec", number, "0", no_equal, "the simple protocol cannot be forbidden"},
    setting{"dns_max_ttl", seconds, "15", not_needed, "names are looked up again as their TTL says"},
    setting{"dns_nxdomain_ttl", seconds, "15", not_needed, "names are looked up again as their TTL says"},
    setting{"dns_zone_check_period", seconds, "0", not_needed, "names are looked up again as their TTL says"},
    setting{"idle_transaction_timeout", seconds, "0", mapped, "routes[].settings.idle_in_transaction_session_timeout"},
    setting{"ignore_startup_parameters", text, "", no_equal,
            "every parameter of a client goes to the server and takes effect there; none can be dropped"},
    setting{"job_name", text, "pgbouncer", not_needed, "only PgBouncer's service on Windows has it"},
    setting{"listen_addr", text, "", mapped, "listeners[].address"},
    setting{"listen_backlog", number, "128", not_needed, "the system's largest is used"},
    setting{"listen_port", number, "6432", mapped, "listeners[].address"},
    setting{"log_connections", number, "1", elsewhere, "each login is one line of level debug: --log-level"},
    setting{"log_disconnections", number, "1", elsewhere, "each end is one line of the log with its cause: --log-level"},
    setting{"log_pooler_errors", number, "1", elsewhere, "what a client was told stands in the line of its end"},
    setting{"log_stats", number, "1", elsewhere, "figures are in the metrics: admin.address"},
    setting{"logfile", text, "", elsewhere, "serve logs to standard error; `trunkline pgbouncer` writes the file"},
    setting{"max_client_conn", number, "100", mapped, "listeners[].maxSessions, for each listener"},
    setting{"max_db_client_connections", number, "0", mapped, "routes[].limits.maxSessions"},
    setting{"max_db_connections", number, "0", mapped, "upstreams[].pool.maxConnections"},
    setting{"max_packet_size", number, "2147483647", no_equal, "messages up to PostgreSQL's own 1 GiB pass"},
    setting{"max_prepared_statements", number, "200", not_needed, "prepared statements follow their client in every pooling mode"},
    setting{"max_user_client_connections", number, "0", mapped, "routes[].limits.maxSessionsPerPrincipal, for each database"},
    setting{"max_user_connections", number, "0", mapped, "upstreams[].pool.perUser, for each database"},
    setting{"min_pool_size", number, "0", mapped, "upstreams[].pool.minIdle"},
    setting{"peer_id", number, "0", mapped, "replicas.number"},
    setting{"pidfile", text, "", elsewhere, "the service manager knows; `trunkline pgbouncer` writes the file"},
    setting{"pkt_buf", number, "4096", not_needed, "buffers grow and shrink with what is under way"},
    setting{"pool_mode", mode, "session", mapped, "routes[].pooling"},
    setting{"query_timeout", seconds, "0", mapped, "routes[].settings.statement_timeout"},
    setting{"query_wait_notify", number, "5", no_equal, "a client that waits is told nothing"},
    setting{"query_wait_timeout", seconds, "120", mapped, "upstreams[].pool.maxWait"},
    setting{"reserve_pool_size", number, "0", no_equal, "there is no second pool: raise default_pool_size"},
    setting{"reserve_pool_timeout", seconds, "5", not_needed, "there is no reserve pool"},
    setting{"resolv_conf", text, "", no_equal, "upstreams[].discovery.resolver names a DNS server"},
    setting{"sbuf_loopcnt", number, "5", not_needed, "no session keeps a worker to itself"},
    setting{"scram_iterations", number, "4096", not_needed, "the verifiers that are there are used"},
    setting{"server_check_delay", seconds, "30", not_needed, "a connection that died is noticed at once"},
    setting{"server_check_query", text, "<empty>", not_needed, "a connection that died is noticed at once"},
    setting{"server_connect_timeout", seconds, "15", mapped, "upstreams[].connectTimeout"},
    setting{"server_fast_close", number, "0", not_needed, "RECONNECT ends sessions as they come to rest"},
    setting{"server_idle_timeout", seconds, "600", mapped, "upstreams[].pool.idleTimeout"},
    setting{"server_lifetime", seconds, "3600", mapped, "upstreams[].pool.maxLifetime"},
    setting{"server_login_retry", seconds, "15", not_needed, "an endpoint that fails rests by itself"},
    setting{"server_reset_query", text, "DISCARD ALL", no_equal, "a reset is always whole, and verified"},
    setting{"server_reset_query_always", number, "0", no_equal, "what a transaction leaves behind is known and carried, or keeps its connection"},
    setting{"server_round_robin", number, "0", no_equal, "the connection that was used last is taken first"},
    setting{"server_tls13_ciphers", text, "", no_equal, cipher_word},
    setting{"server_tls_ca_file", text, "", mapped, "upstreams[].tls.caFile"},
    setting{"server_tls_cert_file", text, "", mapped, "upstreams[].tls.certFile"},
    setting{"server_tls_ciphers", text, "default", no_equal, cipher_word},
    setting{"server_tls_key_file", text, "", mapped, "upstreams[].tls.keyFile"},
    setting{"server_tls_protocols", text, "secure", no_equal, "TLS 1.2 and 1.3 are spoken with servers"},
    setting{"server_tls_sslmode", text, "prefer", mapped, "upstreams[].tls.mode"},
    setting{"service_name", text, "pgbouncer", not_needed, "only PgBouncer's service on Windows has it"},
    setting{"so_reuseport", number, "0", not_needed, "one process uses all cores; SIGUSR2 of `serve` hands over to a new binary"},
    setting{"stats_period", number, "60", not_needed, "averages are over the last minute or two"},
    setting{"stats_users", text, "", mapped, "admin.console.readers"},
    setting{"suspend_timeout", seconds, "10", not_needed, "nothing is suspended: SIGUSR2 of `serve` hands over to a new binary"},
    setting{"syslog", number, "0", elsewhere, "the service manager takes standard error"},
    setting{"syslog_facility", text, "daemon", elsewhere, "the service manager takes standard error"},
    setting{"syslog_ident", text, "pgbouncer", elsewhere, "the service manager takes standard error"},
    setting{"tcp_defer_accept", number, "1", not_needed, "a client that says nothing costs little, and has loginTimeout"},
    setting{"tcp_keepalive", number, "1", mapped, "keepalive"},
    setting{"tcp_keepcnt", number, "0", mapped, "keepalive.probes"},
    setting{"tcp_keepidle", number, "0", mapped, "keepalive.idle"},
    setting{"tcp_keepintvl", number, "0", mapped, "keepalive.interval"},
    setting{"tcp_socket_buffer", number, "0", not_needed, "the system sizes its buffers"},
    setting{"tcp_user_timeout", number, "0", mapped, "keepalive.userTimeout"},
    setting{"track_extra_parameters", text, "IntervalStyle", not_needed, "every setting of a session is followed"},
    setting{"transaction_timeout", seconds, "0", mapped, "routes[].limits.transactionTimeout"},
    setting{"unix_socket_dir", text, "/tmp", mapped, "listeners[].address"},
    setting{"unix_socket_group", text, "", elsewhere, "the folder of the socket decides who reaches it"},
    setting{"unix_socket_mode", number, "0777", elsewhere, "the folder of the socket decides who reaches it"},
    setting{"user", text, "", elsewhere, "the service manager; `trunkline pgbouncer` becomes that user"},
    setting{"verbose", number, "0", elsewhere, "--log-level debug; `trunkline pgbouncer` takes it"},
};

constexpr std::array of_database{
    setting{"application_name", text, "", mapped, "routes[].settings"},
    setting{"auth_dbname", text, "", mapped, "routes[].auth.query.database"},
    setting{"auth_query", text, "", mapped, "routes[].auth.query.sql; it must return SCRAM verifiers"},
    setting{"auth_user", text, "", mapped, "routes[].auth.query.user"},
    setting{"client_encoding", text, "", mapped, "routes[].settings"},
    setting{"client_idle_timeout", seconds, "0", mapped, "routes[].limits.idleTimeout"},
    setting{"connect_query", text, "", no_equal, "settings can go to routes[].settings, others to ALTER ROLE ... SET"},
    setting{"datestyle", text, "", mapped, "routes[].settings"},
    setting{"dbname", text, "", mapped, "routes[].database"},
    setting{"host", text, "", mapped, "upstreams[].endpoints"},
    setting{"idle_transaction_timeout", seconds, "0", mapped, "routes[].settings.idle_in_transaction_session_timeout"},
    setting{"load_balance_hosts", text, "round-robin", no_equal, "sessions go to the endpoint with the fewest"},
    setting{"max_db_client_connections", number, "0", mapped, "routes[].limits.maxSessions"},
    setting{"max_db_connections", number, "0", mapped, "upstreams[].pool.maxConnections"},
    setting{"min_pool_size", number, "0", mapped, "upstreams[].pool.minIdle"},
    setting{"password", text, "", mapped, "routes[].credentials.password"},
    setting{"pool_mode", mode, "", mapped, "routes[].pooling"},
    setting{"pool_size", number, "20", mapped, "upstreams[].pool.size"},
    setting{"port", number, "5432", mapped, "upstreams[].endpoints"},
    setting{"query_timeout", seconds, "0", mapped, "routes[].settings.statement_timeout"},
    setting{"reserve_pool", number, "0", no_equal, "there is no second pool: raise pool_size"},
    setting{"reserve_pool_size", number, "0", no_equal, "there is no second pool: raise pool_size"},
    setting{"server_lifetime", seconds, "3600", mapped, "upstreams[].pool.maxLifetime"},
    setting{"timezone", text, "", mapped, "routes[].settings"},
    setting{"transaction_timeout", seconds, "0", mapped, "routes[].limits.transactionTimeout"},
    setting{"user", text, "", mapped, "routes[].credentials.user"},
};

constexpr std::array of_user{
    setting{"client_idle_timeout", seconds, "0", mapped, "routes[].limits.idleTimeout"},
    setting{"idle_transaction_timeout", seconds, "0", mapped, "routes[].settings.idle_in_transaction_session_timeout"},
    setting{"max_user_client_connections", number, "0", mapped, "routes[].limits.maxSessionsPerPrincipal, for each database"},
    setting{"max_user_connections", number, "0", no_equal, "one number is for all users of an upstream: max_user_connections of [pgbouncer]"},
    setting{"pool_mode", mode, "", mapped, "routes[].pooling"},
    setting{"pool_size", number, "0", no_equal, "the pools of an upstream have one size"},
    setting{"query_timeout", seconds, "0", mapped, "routes[].settings.statement_timeout"},
    setting{"reserve_pool_size", number, "0", no_equal, timeout_word},
    setting{"transaction_timeout", seconds, "0", mapped, "routes[].limits.transactionTimeout"},
};

constexpr std::array of_peer{
    setting{"host", text, "", mapped, "replicas.peers.endpoints"},
    setting{"pool_size", number, "0", not_needed, "a cancel request waits for no connection"},
    setting{"port", number, "6432", mapped, "replicas.peers.endpoints"},
};

constexpr std::array<std::string_view, 4> sections{"pgbouncer", "databases", "users", "peers"};

// clang-format on

}  // namespace

std::span<const setting> settings_of(std::string_view section) {
  if (section == "pgbouncer") return globals;
  if (section == "databases") return of_database;
  if (section == "users") return of_user;
  if (section == "peers") return of_peer;
  return {};
}

const setting* find_setting(std::string_view section, std::string_view name) {
  const auto all = settings_of(section);
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const setting& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::span<const std::string_view> section_names() {
  return sections;
}

std::string_view name_of(fate which) {
  switch (which) {
    case mapped:
      return "mapped";
    case not_needed:
      return "not needed";
    case elsewhere:
      return "elsewhere";
    case no_equal:
      return "no equal";
  }
  return "";
}

}  // namespace trunkline::pgbouncer
