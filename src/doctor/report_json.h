// A report for programs: one JSON object (docs/doctor.md). Pure; any thread.
#pragma once

#include <string>

#include "doctor/runner.h"

namespace trunkline::doctor {

std::string render_json(const report& of);

}  // namespace trunkline::doctor
