// The path as it was found, hop by hop. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "doctor/facts.h"

namespace trunkline::doctor {

/// One line for each hop and leg, from this host to the server, as far as they are known.
std::vector<std::string> hops_of(const facts& known);

/// The same as an SVG drawing, for a page.
std::string draw_path(const facts& known);

}  // namespace trunkline::doctor
