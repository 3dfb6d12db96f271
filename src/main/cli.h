// The command line: which command, with which options; docs/configuration.md and --help say the same.
#pragma once

namespace trunkline::main {

/// Runs the command and answers the process's exit code (options.h). Called once, from main().
int run_command_line(int argc, const char* const* argv);

}  // namespace trunkline::main
