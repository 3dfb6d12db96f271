// A report as one self-contained HTML page, with a drawing of the path. Pure; any thread.
#pragma once

#include <string>

#include "doctor/runner.h"

namespace trunkline::doctor {

std::string render_page(const report& of);

}  // namespace trunkline::doctor
