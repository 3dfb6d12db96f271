// How far a run has come, in one line that fits the terminal. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>

#include "storm/storm.h"

namespace trunkline::storm {

/// At most `columns` characters; what matters least goes first.
std::string progress_line(const progress& now, std::size_t columns);

}  // namespace trunkline::storm
