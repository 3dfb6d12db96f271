// What was measured on a path, drawn: logins by stage, round trips, times by size, silences. Pure; any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "doctor/facts.h"

namespace trunkline::doctor {

/// Figures of HTML, those for which something was measured.
std::string charts_of(const facts& known);

/// What they look like, for the page's style; it has the variables --ink, --soft, --line and --broken.
std::string_view chart_style();

}  // namespace trunkline::doctor
