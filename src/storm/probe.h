// The first look at a path, before any load: does a login work at all, what is there, and which workloads
// can be tested with these rights. Owner: one loop thread.
#pragma once

#include <optional>

#include "runtime/task.h"
#include "storm/path.h"

namespace trunkline::storm {

/// Fills the path's facts and `not_tested`, and takes out of the mix what cannot be tested. An error: nothing
/// can.
runtime::task<outcome<>> probe(path* of, workload_mix* mix);

}  // namespace trunkline::storm
