// A report for a terminal: the worst first, each finding with its fix. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>

#include "doctor/runner.h"

namespace trunkline::doctor {

/// `columns`: 40 or more are readable.
std::string render_text(const report& of, std::size_t columns, bool coloured);

}  // namespace trunkline::doctor
