// The parts of `routes[].auth` that identity.h holds, from the tree; the problems are in the state.
#pragma once

#include "config/section.h"

namespace trunkline::config {

/// `admin.jwt`; nothing: it is not there.
std::optional<jwt_auth> build_bearer_tokens(section from);

/// Everything of `auth` but what scram needs.
void build_identity(section& auth, route_auth& to);

/// What routes with method kubernetes leave out: the API server is the gateway's own, which is `cluster`,
/// and what RBAC is asked about the route itself, where that is an object.
void complete_kubernetes(std::vector<route>& routes, const kubernetes_access& cluster);

}  // namespace trunkline::config
