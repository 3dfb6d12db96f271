// Several paths to one server beside each other: what goes wrong on one of them and not on another lies on
// what only that one has. Pure; any thread.
#pragma once

#include <vector>

#include "doctor/runner.h"

namespace trunkline::doctor {

/// Nothing where there is one path. Where a check is silent on some path, the findings of the others are said
/// to lie on their own part, which is as much as a comparison isolates.
judgements compare(std::vector<path_result>& paths);

}  // namespace trunkline::doctor
