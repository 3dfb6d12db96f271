// What every pod is told of its cluster's API server (kubernetes.io, "Accessing the Kubernetes API from a
// Pod"). Any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/identity.h"

namespace trunkline::identity {

using environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's own.
std::optional<std::string> environment_variable(const std::string& name);

/// https://host:port
result<std::string> pod_api_server(const environment& from);
/// "token", "ca.crt" or "namespace": its path.
std::string pod_file(std::string_view name);

/// What is left out is as for every pod, where that is meant.
result<config::kubernetes_auth> with_pod(config::kubernetes_auth said, const environment& from);

}  // namespace trunkline::identity
