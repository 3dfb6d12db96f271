// From a tree to settings: every section read, every default filled in; the problems are in the state.
#pragma once

#include "config/section.h"

namespace trunkline::config {

/// Lists keep the order and length of the file, so that "routes[3]" in a message is settings::routes[3].
settings build_settings(load_state& state, const node& root);

}  // namespace trunkline::config
