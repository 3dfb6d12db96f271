// The summary for a terminal: short, the worst first, each finding with what it means. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>

#include "storm/storm.h"

namespace trunkline::storm {

/// No line is longer than `columns`, which is at least 40.
std::string render_text(const report& of, std::size_t columns, bool coloured);

}  // namespace trunkline::storm
