// The namespace that is this gateway's own. Blocking: reads a file.
#pragma once

#include <string>

#include "config/kubernetes.h"

namespace trunkline::k8s {

/// What every pod has.
inline constexpr const char* pod_namespace_file = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// As configured, else the pod's; empty where neither says.
std::string own_namespace(const config::kubernetes_presence& how, const char* file = pod_namespace_file);

}  // namespace trunkline::k8s
