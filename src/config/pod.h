// What every pod is told of its cluster's API server (kubernetes.io, "Accessing the Kubernetes API from a
// Pod"). Any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/kubernetes.h"

namespace trunkline::config {

using environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's own.
std::optional<std::string> environment_variable(const std::string& name);

inline constexpr const char* no_pod =
    "KUBERNETES_SERVICE_HOST is not set: this is no pod, and the configuration has neither "
    "kubernetes.apiServer nor kubernetes.kubeconfigFile";

/// https://host:port
result<std::string> pod_api_server(const environment& from);
/// "token", "ca.crt" or "namespace": its path.
std::string pod_file(std::string_view name);

/// What is left out is as for every pod. With a kubeconfig, and outside of a pod, nothing is changed.
kubernetes_access with_pod(kubernetes_access said, const environment& from);

}  // namespace trunkline::config
