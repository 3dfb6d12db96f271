// `trunkline access explain`: which access policy would decide for somebody, and why the others do not. Reads
// the configuration and nothing else. Main thread only.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace trunkline::main {

struct access_options {
  std::string config_file;
  std::string principal;  ///< --as
  std::string user;       ///< of the database; empty: named as the principal is
  std::vector<std::string> groups;
  std::string database;
  std::string route;  ///< empty: the one that the client would get
  std::string from;   ///< its address; empty: a unix socket
  std::string at;     ///< RFC 3339, or an age; empty: now
  bool replication = false;
  std::string output = "text";
};

/// Adds the sub-commands; `options` must outlive the parsing.
void add_access_command(CLI::App& app, access_options& options);
/// Runs the one that was given. 0: it would be let in, or may ask to be; 1: it would be refused; 2: usage.
int run_access(const access_options& options);

}  // namespace trunkline::main
