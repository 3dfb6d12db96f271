// From a parse tree to effects. Pure; any thread.
#pragma once

#include "sql/effects.h"
#include "sql/parse_tree.h"

namespace trunkline::sql {

/// The union over all statements of the tree.
effects effects_of_tree(const parse_tree& tree);

}  // namespace trunkline::sql
