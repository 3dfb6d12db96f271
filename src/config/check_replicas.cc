#include <fmt/format.h>

#include <algorithm>

#include "config/checks.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

void check_peers(const check_input& in) {
  const replicas& all = in.value.replicas;
  const std::string key = "replicas.peers";
  if (stands(in.root, key) && !all.has_peers()) in.problem(key, "says nobody", "endpoints or dns");
  for (std::size_t i = 0; i < all.endpoints.size(); ++i) {
    const auto here = all.endpoints.begin() + static_cast<std::ptrdiff_t>(i);
    if (std::find(all.endpoints.begin(), here, *here) == here) continue;
    in.problem(fmt::format("{}.endpoints[{}]", key, i), quote(here->text()) + " stands in the list twice",
               "each replica once");
  }
  if (all.endpoints.size() > limits::replica_peers)
    in.problem(key + ".endpoints", fmt::format("has {} replicas", all.endpoints.size()),
               fmt::format("at most {}", limits::replica_peers));
  const auto resolver = all.found.resolver.empty() ? std::nullopt : parse_endpoint(all.found.resolver);
  const bool is_ip = resolver && !resolver->is_unix() && ip_address::parse(resolver->host).has_value();
  if (!all.found.resolver.empty() && !is_ip)
    in.problem(key + ".resolver", quote(all.found.resolver) + " is not the address of a DNS server",
               "an address such as 10.96.0.10:53");
  if (all.has_peers() && all.key_file.empty())
    in.warn(key, "without a shared secret nobody can tell a genuine cancel key from a guess before asking",
            "replicas.keyFile beside it; with a pgbouncer.ini, --replica-key");
}

}  // namespace

void check_replicas(const check_input& in) {
  if (in.state.sound("replicas.peers")) check_peers(in);
  if (in.state.sound("replicas.tls.mode")) check_server_tls(in, in.value.replicas.tls, "replicas.tls");
}

}  // namespace trunkline::config
