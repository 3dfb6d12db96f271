// The keys of what kubernetes.h holds.
#pragma once

#include <vector>

#include "config/schema.h"

namespace trunkline::config {

/// `upstreams[].discovery.kubernetes` and below.
void add_kubernetes_discovery(std::vector<schema_key>& to);
/// `kubernetes` and below.
void add_kubernetes_access(std::vector<schema_key>& to);

}  // namespace trunkline::config
