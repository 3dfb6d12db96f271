#include "k8s/api_access.h"

#include <utility>

#include "base/limits_kubernetes.h"
#include "identity/files.h"
#include "identity/pod.h"

namespace trunkline::k8s {

namespace {

result<api_access> read_pod_access(const config::kubernetes_access& how, const environment& from) {
  api_access made;
  if (how.api_server.empty()) {
    auto server = identity::pod_api_server(from);
    if (!server) return fail(server.error());
    made.server = std::move(*server);
  } else {
    made.server = how.api_server;
  }
  const auto place = [](const std::string& said, std::string_view file) {
    return said.empty() ? identity::pod_file(file) : said;
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
