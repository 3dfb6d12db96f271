// The part `access` (access.h), from the tree; the problems are in the state.
#pragma once

#include "config/section.h"

namespace trunkline::config {

access build_access(section from);

}  // namespace trunkline::config
