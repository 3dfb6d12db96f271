// What kubernetes.h holds, from the tree; the problems are in the state.
#pragma once

#include "config/section.h"

namespace trunkline::config {

kubernetes_discovery build_kubernetes_discovery(section& from);
kubernetes_access build_kubernetes_access(section& from);
kubernetes_presence build_kubernetes_presence(section& from);

}  // namespace trunkline::config
