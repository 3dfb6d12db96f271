#include <fmt/format.h>
#include <sys/stat.h>

#include "config/checks.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

bool verifies(upstream_tls_mode mode) {
  return mode == upstream_tls_mode::verify_ca || mode == upstream_tls_mode::verify_full;
}

void check_endpoints(const check_input& in, const upstream& one, const std::string& key) {
  for (std::size_t i = 0; i < one.endpoints.size(); ++i) {
    const auto& at = one.endpoints[i];
    const auto endpoint_key = fmt::format("{}.endpoints[{}]", key, i);
    const auto again =
        std::find(one.endpoints.begin(), one.endpoints.begin() + static_cast<std::ptrdiff_t>(i), at);
    if (again != one.endpoints.begin() + static_cast<std::ptrdiff_t>(i)) {
      in.problem(endpoint_key, quote(at.text()) + " stands in the list twice", "each endpoint once");
    }
    struct stat facts{};
    const bool is_folder = at.is_unix() && in.state.options().check_files &&
                           stat(at.path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
    if (is_folder) {
      in.problem(endpoint_key, quote(at.text()) + " is a folder",
                 fmt::format("the socket itself, such as unix:{}/.s.PGSQL.5432", at.path));
    }
  }
}

void check_discovery(const check_input& in, const upstream& one, const std::string& key) {
  const std::string at = key + ".discovery";
  const bool dns = stands(in.root, at + ".dns");
  const bool srv = stands(in.root, at + ".srv");
  const bool kubernetes = stands(in.root, at + ".kubernetes");
  if (dns && srv) in.problem(at, "has both dns and srv", "one of them");
  if (kubernetes && (dns || srv)) in.problem(at, "has both kubernetes and the DNS", "one of them");
  if (kubernetes) check_kubernetes_discovery(in, one, at + ".kubernetes");
  if (one.found.kind == discovery_kind::none && stands(in.root, at) && one.found.resolver.empty())
    in.problem(at, "does not say where endpoints come from", "dns, srv or kubernetes");
  if (one.endpoints.empty() && one.found.kind == discovery_kind::none)
    in.problem(key + ".endpoints", "is missing", "a list of addresses, or discovery");
  const auto resolver = one.found.resolver.empty() ? std::nullopt : parse_endpoint(one.found.resolver);
  const bool is_ip = resolver && !resolver->is_unix() && ip_address::parse(resolver->host).has_value();
  if (!one.found.resolver.empty() && !is_ip)
    in.problem(at + ".resolver", quote(one.found.resolver) + " is not the address of a DNS server",
               "an address such as 10.96.0.10:53");
}

void check_health(const check_input& in, const upstream& one, const std::string& key) {
  const std::string at = key + ".health";
  if (!one.health) {
    if (one.hold.count() > 0 && one.endpoints.size() + (one.found.kind != discovery_kind::none ? 2 : 0) > 1)
      in.warn(key + ".failover.hold",
              "waits without knowing for what: nobody asks the endpoints what they are",
              "health with a user");
    return;
  }
  const health& asked = *one.health;
  if (asked.user.empty() && (!asked.password.empty() || !asked.password_file.empty()))
    in.problem(at + ".user", "is missing, but there is a password", "the user whose password it is");
  if (asked.user.empty() && asked.max_replica_lag.count() > 0)
    in.problem(at + ".maxReplicaLag", "cannot be known without logging in", "health.user beside it");
  // The primary's position is as old as one interval, and the replica's as another.
  const auto oldest = 2 * asked.interval + asked.timeout;
  if (asked.max_replica_lag.count() > 0 && asked.max_replica_lag < oldest)
    in.problem(at + ".maxReplicaLag", "is shorter than what is known may be old",
               fmt::format("at least twice interval and timeout, {}", format_duration(oldest)));
}

}  // namespace

void check_server_tls(const check_input& in, const upstream_tls& tls, const std::string& key,
                      bool ca_elsewhere) {
  const auto mode = name_of(upstream_tls_modes, tls.mode);
  if (!tls.ca_file.empty() && !verifies(tls.mode)) {
    in.problem(key + ".caFile",
               fmt::format("is not used with mode {}: the server's certificate is not checked", mode),
               "mode: verify-ca or verify-full");
  }
  if (tls.ca_file.empty() && !ca_elsewhere && tls.mode == upstream_tls_mode::verify_ca) {
    in.problem(key + ".mode", "verify-ca without caFile would accept any public certificate",
               "caFile, or verify-full");
  }
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    in.problem(key, "has only one of certFile and keyFile", "both or none");
  }
  const bool may_be_plain = tls.mode == upstream_tls_mode::disable || tls.mode == upstream_tls_mode::prefer;
  if (tls.direct && may_be_plain) {
    in.problem(key + ".direct", fmt::format("does not go with mode {}, which may be plaintext", mode),
               "mode: require, verify-ca or verify-full");
  }
  if (tls.mode == upstream_tls_mode::disable && !tls.cert_file.empty()) {
    in.warn(key + ".certFile", "has no effect with mode disable", "another mode");
  }
}

void check_upstreams(const check_input& in) {
  for (std::size_t i = 0; i < in.value.upstreams.size(); ++i) {
    const auto& one = in.value.upstreams[i];
    const auto key = fmt::format("upstreams[{}]", i);
    if (!one.allowed_namespaces.empty() && one.name_space.empty() && !in.value.in_kubernetes.objects)
      in.warn(key + ".allowedNamespaces", "has no use: no route is an object of a namespace",
              "kubernetes.objects");
    if (in.state.sound(key + ".endpoints")) check_endpoints(in, one, key);
    if (in.state.sound(key + ".endpoints") && in.state.sound(key + ".discovery"))
      check_discovery(in, one, key);
    if (in.state.sound(key + ".health")) check_health(in, one, key);
    if (in.state.sound(key + ".pool") && one.pool.min_idle > one.pool.size)
      in.problem(key + ".pool.minIdle", fmt::format("is more than the pool's size, {}", one.pool.size),
                 "at most as many");
    // Of an object all is right or wrong by itself; and the file is, whatever objects there are.
    const bool joined = one.name_space.empty() && in.state.sound("listeners") && in.state.sound("routes");
    if (joined && !one.health && stands(in.root, key + ".tls") && tls_passes_through(in.value, one, true)) {
      in.warn(key + ".tls", "has no effect: all its clients' TLS passes through from end to end",
              "to be left out");
      continue;
    }
    if (in.state.sound(key + ".tls.mode") && in.state.sound(key + ".endpoints"))
      check_server_tls(in, one.tls, key + ".tls", !one.found.in_kubernetes.ca_secret.empty());
  }
}

}  // namespace trunkline::config
