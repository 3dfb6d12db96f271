#include "k8s/api_access.h"

#include <utility>

#include "base/limits_kubernetes.h"
#include "identity/files.h"

namespace trunkline::k8s {

namespace {

result<api_access> read_pod_access(const config::kubernetes_access& said, const environment& from) {
  const config::kubernetes_access how = config::with_pod(said, from);
  if (how.api_server.empty()) return fail({.message = config::no_pod});
  api_access made{.server = how.api_server};
  auto token = identity::read_token_file(how.token_file);
  if (!token) return fail(token.error());
  made.token = std::move(*token);
  if (!how.ca_file.empty()) {
    auto authorities = identity::read_text_file(how.ca_file, limits::k8s_file_bytes);
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
