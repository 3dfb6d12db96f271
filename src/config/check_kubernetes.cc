#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "config/checks.h"
#include "config/kubernetes_names.h"

namespace trunkline::config {

namespace {

void check_name(const check_input& in, const std::string& key, const std::string& text, bool with_dots) {
  if (text.empty() || (with_dots ? is_kubernetes_name(text) : is_kubernetes_label(text))) return;
  in.problem(key, quote(text) + " is no name of an object",
             fmt::format("small letters, digits{} and '-', at most {}", with_dots ? ", '.'" : "",
                         with_dots ? 253 : 63));
}

void check_port(const check_input& in, const std::string& key, const std::string& port) {
  unsigned number = 0;
  const auto read = std::from_chars(port.data(), port.data() + port.size(), number);
  const bool is_number = read.ec != std::errc::invalid_argument && read.ptr == port.data() + port.size();
  const bool good =
      is_number ? read.ec == std::errc() && number >= 1 && number <= 65'535 : is_kubernetes_label(port);
  if (!port.empty() && !good)
    in.problem(key, quote(port) + " is no port", "a number from 1 to 65535, or a port's name");
}

/// What the longest name of the services that are looked for has behind the cluster's.
std::size_t longest_suffix(kubernetes_operator run_by) {
  switch (run_by) {
    case kubernetes_operator::cloudnative_pg:
      return std::string_view("-ro").size();
    case kubernetes_operator::zalando:
      return std::string_view("-repl").size();
    case kubernetes_operator::crunchy:
      return std::string_view("-replicas").size();
    case kubernetes_operator::none:
      break;
  }
  return 0;
}

/// An API server refuses to look for a service whose name is too long, and with it for all others that are
/// looked for in the same watch.
void check_cluster(const check_input& in, const std::string& key, const kubernetes_discovery& said) {
  constexpr std::size_t service_bytes = 63;
  check_name(in, key, said.cluster, false);
  const std::size_t most = service_bytes - longest_suffix(said.run_by);
  if (said.cluster.size() > most && said.cluster.size() <= service_bytes)
    in.problem(key, quote(said.cluster) + " is too long for the names of its services",
               fmt::format("at most {} characters", most));
}

bool is_verified(const upstream& one) {
  return one.tls.mode == upstream_tls_mode::verify_ca || one.tls.mode == upstream_tls_mode::verify_full;
}

}  // namespace

void check_rbac_object(const check_input& in, const std::string& key, const rbac_object& one) {
  if (one.name_space.empty()) in.problem(key + ".namespace", "is missing", "that of a PostgresRoute");
  if (one.name.empty()) in.problem(key + ".name", "is missing", "that of a PostgresRoute");
  check_name(in, key + ".namespace", one.name_space, false);
  check_name(in, key + ".name", one.name, true);
}

void check_kubernetes_discovery(const check_input& in, const upstream& one, const std::string& key) {
  const kubernetes_discovery& said = one.found.in_kubernetes;
  const bool cluster = said.run_by != kubernetes_operator::none;
  if (cluster && !said.service.empty()) in.problem(key, "has both service and cluster", "one of them");
  if (!cluster && said.service.empty())
    in.problem(key, "does not say whose endpoints", "service, or cluster");
  check_name(in, key + ".namespace", said.name_space, false);
  check_name(in, key + ".service", said.service, false);
  check_cluster(in, key + ".cluster.name", said);
  check_name(in, key + ".caSecret.name", said.ca_secret, true);
  check_port(in, key + ".port", said.port);
  if (said.ca_secret.empty()) return;
  if (!one.tls.ca_file.empty())
    in.problem(key + ".caSecret", "says who signs certificates, and so does tls.caFile", "one of them");
  if (!is_verified(one))
    in.problem(key + ".caSecret",
               fmt::format("is not used with tls.mode {}: the server's certificate is not checked",
                           name_of(upstream_tls_modes, one.tls.mode)),
               "mode: verify-ca or verify-full");
}

namespace {

/// So that "trunkline-NAME" can be a Lease's name.
constexpr std::size_t gateway_name_bytes = 50;

/// As the API server reads it: words, and what stands between them.
bool is_selector(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./=!,() ").find(c) != std::string_view::npos;
  });
}

/// What is taken from the API and kept there.
void check_presence(const check_input& in) {
  const kubernetes_presence& said = in.value.in_kubernetes;
  if (!is_kubernetes_label(said.gateway) || said.gateway.size() > gateway_name_bytes)
    in.problem("kubernetes.gateway", quote(said.gateway) + " is no part of an object's name",
               fmt::format("small letters, digits and '-', at most {}", gateway_name_bytes));
  check_name(in, "kubernetes.namespace", said.name_space, false);
  if (said.requests && !in.value.access.store.empty())
    in.problem("kubernetes.requests", "keeps requests in Kubernetes, and access.store in a file",
               "one of them");
  if (!said.objects) return;
  for (const auto& each : said.objects->namespaces)
    if (each != "*") check_name(in, "kubernetes.objects.namespaces", each, false);
  if (!is_selector(said.objects->labels))
    in.problem("kubernetes.objects.selector", quote(said.objects->labels) + " is no selector of labels",
               "such as team=a");
}

}  // namespace

void check_kubernetes_access(const check_input& in) {
  const kubernetes_access& said = in.value.kubernetes;
  if (!in.state.sound("kubernetes")) return;
  if (stands(in.root, "kubernetes")) check_presence(in);
  const bool direct = !said.api_server.empty() || !said.token_file.empty() || !said.ca_file.empty();
  if (!said.kubeconfig_file.empty() && direct)
    in.problem("kubernetes", "has a kubeconfig beside what it would hold",
               "kubeconfigFile, or apiServer, tokenFile and caFile");
  if (said.kubeconfig_file.empty() && !said.context.empty())
    in.problem("kubernetes.context", "is of no kubeconfig", "kubeconfigFile beside it");
  if (said.api_server.starts_with("http://") && !is_loopback_url(said.api_server))
    in.problem("kubernetes.apiServer", "would be told the gateway's token in clear", "an https:// address");
}

}  // namespace trunkline::config
