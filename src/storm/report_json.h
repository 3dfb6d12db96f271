// The whole report as JSON (docs/storm.md names the keys). Pure; any thread.
#pragma once

#include <string>

#include "storm/storm.h"

namespace trunkline::storm {

std::string render_json(const report& of);

}  // namespace trunkline::storm
