#include "identity/pod.h"

#include <cstdlib>

namespace trunkline::identity {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

result<std::string> pod_api_server(const environment& from) {
  const auto host = from("KUBERNETES_SERVICE_HOST");
  const auto port = from("KUBERNETES_SERVICE_PORT");
  if (!host || host->empty())
    return fail({.message = "KUBERNETES_SERVICE_HOST is not set: this is no pod, and the configuration has "
                            "neither kubernetes.apiServer nor kubernetes.kubeconfigFile"});
  const bool v6 = host->find(':') != std::string::npos;
  return "https://" + (v6 ? "[" + *host + "]" : *host) + ":" + (port && !port->empty() ? *port : "443");
}

std::string pod_file(std::string_view name) {
  return "/var/run/secrets/kubernetes.io/serviceaccount/" + std::string(name);
}

result<config::kubernetes_auth> with_pod(config::kubernetes_auth said, const environment& from) {
  if (!said.is_the_pods()) return said;
  auto server = pod_api_server(from);
  if (!server) return fail(server.error());
  said.api_server = std::move(*server);
  if (said.token_file.empty()) said.token_file = pod_file("token");
  if (said.ca_file.empty()) said.ca_file = pod_file("ca.crt");
  return said;
}

}  // namespace trunkline::identity
