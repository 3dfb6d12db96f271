#include "k8s/api_access.h"

#include <cstdlib>
#include <utility>

#include "base/limits_kubernetes.h"
#include "identity/files.h"

namespace trunkline::k8s {

namespace {

constexpr std::string_view pod_folder = "/var/run/secrets/kubernetes.io/serviceaccount/";

result<std::string> pod_server(const environment& from) {
  const auto host = from("KUBERNETES_SERVICE_HOST");
  const auto port = from("KUBERNETES_SERVICE_PORT");
  if (!host || host->empty())
    return fail({.message = "KUBERNETES_SERVICE_HOST is not set: this is no pod, and the configuration has "
                            "neither kubernetes.apiServer nor kubernetes.kubeconfigFile"});
  const bool v6 = host->find(':') != std::string::npos;
  return "https://" + (v6 ? "[" + *host + "]" : *host) + ":" + (port && !port->empty() ? *port : "443");
}

result<api_access> read_pod_access(const config::kubernetes_access& how, const environment& from) {
  api_access made;
  if (how.api_server.empty()) {
    auto server = pod_server(from);
    if (!server) return fail(server.error());
    made.server = std::move(*server);
  } else {
    made.server = how.api_server;
  }
  const auto place = [](const std::string& said, std::string_view file) {
    return said.empty() ? std::string(pod_folder) + std::string(file) : said;
  };
  auto token = identity::read_token_file(place(how.token_file, "token"));
  if (!token) return fail(token.error());
  made.token = std::move(*token);
  // Without TLS (a proxy on this machine) there is nobody to vouch for.
  if (made.server.starts_with("https://")) {
    auto authorities = identity::read_text_file(place(how.ca_file, "ca.crt"), limits::k8s_file_bytes);
    if (!authorities) return fail(authorities.error());
    made.tls.authorities = authorities->reveal();
  }
  return made;
}

}  // namespace

std::optional<std::string> environment_variable(const std::string& name) {
  const char* const value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

result<api_access> read_access(const config::kubernetes_access& how, const environment& from) {
  const auto read = [&]() -> result<api_access> {
    if (how.kubeconfig_file.empty()) return read_pod_access(how, from);
    auto text = identity::read_text_file(how.kubeconfig_file, limits::k8s_file_bytes);
    if (!text) return fail(text.error());
    return read_kubeconfig(text->reveal(), how.kubeconfig_file, how.context);
  };
  auto made = read();
  while (made && made->server.ends_with('/'))
    made->server.pop_back();
  return made;
}

}  // namespace trunkline::k8s
