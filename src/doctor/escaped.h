// Text as HTML and SVG want it. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::doctor {

std::string escaped(std::string_view text);

}  // namespace trunkline::doctor
