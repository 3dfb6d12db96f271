// `trunkline audit …`: reads the folder of a file sink. Options are plain values, filled by the command line;
// each command prints to stdout and answers an exit code (options.h). Main thread only.
#pragma once

#include <cstddef>
#include <string>

#include "audit/archive.h"

namespace CLI {
class App;
}

namespace trunkline::main {

struct audit_options {
  std::string config_file;  ///< the folder is that of its first file sink
  std::string path;         ///< or is named directly
  std::string since, until, principal, database, fingerprint, sqlstate, slower_than, text, statement, event,
      session;
  std::size_t limit = 100;
  std::string output = "text";
  std::string format = "json";  ///< of export
  std::string id;               ///< of show and replay
  bool sessions = false;
  bool follow = false;
  bool removed_before = false;
  double speed = 1;
  double max_pause = 3;
};

/// Adds the sub-commands; `options` must outlive the parsing.
void add_audit_command(CLI::App& app, audit_options& options);
/// Runs the one that was given.
int run_audit(const CLI::App& app, const audit_options& options);

/// An age such as 5m, 2h, 3d, or an RFC 3339 time, as microseconds since 1970; false: it is neither.
bool read_moment(const std::string& text, std::int64_t now_us, std::int64_t& moment_us);

}  // namespace trunkline::main
