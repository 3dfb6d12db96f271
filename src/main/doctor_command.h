// `trunkline doctor DSN`: examines a path, shows how far it is, and reports. Options are plain values, filled
// by the command line. Main thread only.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace trunkline::main {

/// As they were typed; empty: not said.
struct doctor_options {
  std::string dsn;
  std::string direct;               ///< the same server, with less between
  std::vector<std::string> matrix;  ///< further paths to it
  std::vector<std::string> only;    ///< checks by their names
  std::string idle;
  std::string watch;
  std::string output = "text";
  std::string gateway;  ///< the admin address of a trunkline on the path
  std::string page;     ///< a file for the HTML page
};

/// Adds the command; `options` must outlive the parsing.
void add_doctor_command(CLI::App& app, doctor_options& options);
/// 0: nothing was found; 1: findings, or it was interrupted; 2: usage.
int run_doctor(const doctor_options& options);

}  // namespace trunkline::main
