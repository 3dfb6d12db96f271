// `trunkline version`: what this binary is made of, for a bug report.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::main {

/// "trunkline 0.1.0" first, then one line each for build, compiler and libraries.
std::string version_text();
/// "0.1.0"
std::string_view version_number();

}  // namespace trunkline::main
