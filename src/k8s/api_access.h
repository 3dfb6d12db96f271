// Where the API server is and what it is shown: from a kubeconfig, or as every pod is told. Everything is
// read anew for each exchange, so that a token, a certificate or an authority that was replaced counts at
// once. Blocking: never on a worker's loop.
#pragma once

#include <string>
#include <string_view>

#include "base/redacted.h"
#include "base/result.h"
#include "config/kubernetes.h"
#include "config/pod.h"
#include "http/exchanges.h"

namespace trunkline::k8s {

struct api_access {
  std::string server;  ///< https://host:port, without a slash at its end
  secret_text token = {};
  http::tls_identity tls = {};
};

using config::environment;
using config::environment_variable;

/// Errors name the file and what is wrong with it, and hold no secret.
result<api_access> read_access(const config::kubernetes_access& how, const environment& from);

/// The part of it for a kubeconfig (kubernetes.io, "Organizing Cluster Access Using kubeconfig Files").
/// `file` is for messages, and for what the text names relative to it. Plugins are refused: the gateway
/// starts no programs. So is whatever would turn verification off.
result<api_access> read_kubeconfig(std::string_view text, const std::string& file,
                                   const std::string& context);

}  // namespace trunkline::k8s
