#include "config/pod.h"

#include <cstdlib>
#include <utility>

namespace trunkline::config {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

result<std::string> pod_api_server(const environment& from) {
  const auto host = from("KUBERNETES_SERVICE_HOST");
  const auto port = from("KUBERNETES_SERVICE_PORT");
  if (!host || host->empty()) return fail({.message = no_pod});
  const bool v6 = host->find(':') != std::string::npos;
  return "https://" + (v6 ? "[" + *host + "]" : *host) + ":" + (port && !port->empty() ? *port : "443");
}

std::string pod_file(std::string_view name) {
  return "/var/run/secrets/kubernetes.io/serviceaccount/" + std::string(name);
}

kubernetes_access with_pod(kubernetes_access said, const environment& from) {
  if (!said.kubeconfig_file.empty()) return said;
  if (said.api_server.empty()) {
    auto server = pod_api_server(from);
    if (!server) return said;
    said.api_server = std::move(*server);
  }
  if (said.token_file.empty()) said.token_file = pod_file("token");
  // Without TLS (a proxy on this machine) there is nobody to vouch for.
  if (said.ca_file.empty() && said.api_server.starts_with("https://")) said.ca_file = pod_file("ca.crt");
  return said;
}

}  // namespace trunkline::config
