// The keys of `access` (access.h).
#pragma once

#include <vector>

#include "config/schema.h"

namespace trunkline::config {

void add_access_keys(std::vector<schema_key>& to);

}  // namespace trunkline::config
