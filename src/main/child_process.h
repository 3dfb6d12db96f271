// One child process and its end: for `demo`. The child is in a process group of its own, so that Ctrl-C in a
// terminal reaches only the parent, which then ends its children in order; it is killed when the parent dies.
// Main thread only.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace trunkline::main {

struct child_identity {
  uid_t user = 0;
  gid_t group = 0;
  std::string name;  ///< for the supplementary groups
};

struct child_request {
  std::vector<std::string> arguments;           ///< the first is the path of the program
  std::string folder;                           ///< working directory
  std::string output_file = {};                 ///< stdout and stderr are appended here; empty: inherited
  std::optional<child_identity> identity = {};  ///< to become, where this process is root
  int parent_death_signal = 9;                  ///< what the child gets when this process dies without a word
};

class child_process {
 public:
  static result<child_process> start(const child_request& request);

  child_process(child_process&& other) noexcept;
  child_process& operator=(child_process&&) = delete;
  child_process(const child_process&) = delete;
  /// Kills what still runs.
  ~child_process();

  pid_t pid() const { return pid_; }
  /// The exit code (128 + signal where it was killed); nothing while it runs.
  std::optional<int> poll();
  /// Sends `signal` and waits; after `patience` SIGKILL. Answers the exit code.
  int end(int signal, std::chrono::milliseconds patience);
  /// Waits for the end.
  std::optional<int> wait(std::chrono::milliseconds patience);

 private:
  explicit child_process(pid_t pid) : pid_(pid) {}

  pid_t pid_ = -1;
  std::optional<int> code_;
};

/// Lets other processes run; `demo` has no loop to put a timer on.
void pause_for(std::chrono::milliseconds time);

}  // namespace trunkline::main
