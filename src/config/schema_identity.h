// The keys of `routes[].auth` that identity.h holds.
#pragma once

#include <vector>

#include "config/schema.h"

namespace trunkline::config {

void add_identity_keys(std::vector<schema_key>& to);
/// `admin.jwt` and below.
void add_admin_tokens(std::vector<schema_key>& to);

}  // namespace trunkline::config
