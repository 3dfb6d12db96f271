// `trunkline check`: is this configuration right, and what does it come to?
#pragma once

#include <string>
#include <vector>

#include "config/load.h"

namespace trunkline::main {

/// Prints the effective configuration to stdout, problems and warnings to stderr. Exit code as in options.h.
int check(const std::string& config_file);

/// One line for each problem and warning, to stderr; `serve` says the same at start and at a reload.
void print_findings(const config::loaded& from);

}  // namespace trunkline::main
