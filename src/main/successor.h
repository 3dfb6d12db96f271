// The process that takes over from this one (SIGUSR2, docs/decisions/0014-hand-over.md): the binary as it is
// on disk now, with this process's arguments, environment, signal mask and standard streams, and with the
// listening sockets. Until it has said that it is ready, nothing of this process has changed. Owner: `serve`;
// its thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "main/handover_note.h"
#include "runtime/unique_fd.h"

namespace trunkline::main {

/// argv[0] where it still names a program, for it may be a symlink that a new version changed; otherwise
/// `executable`, what /proc/self/exe says, without the mark of a file that was replaced.
std::string program_path(std::string_view first_argument, std::string_view executable);

class successor {
 public:
  /// Starts it. `sockets` are this process's descriptors, which it keeps.
  static result<successor> start(std::vector<handed_socket> sockets);

  successor(successor&& other) noexcept;
  successor& operator=(successor&&) = delete;
  successor(const successor&) = delete;
  /// Kills one that has not become ready.
  ~successor();

  enum class state : std::uint8_t { starting, ready, failed };
  /// What has become of it by now; never waits.
  state look();
  /// Of one that failed, in words.
  const std::string& reason() const { return reason_; }
  void give_up(std::string why);
  pid_t pid() const { return pid_; }
  /// For the cancel requests that it passes on. Precondition: ready.
  runtime::unique_fd take_link() { return std::move(link_); }

 private:
  successor(pid_t pid, runtime::unique_fd link) : pid_(pid), link_(std::move(link)) {}
  void end();
  void read_link();

  pid_t pid_ = -1;
  runtime::unique_fd link_;
  state state_ = state::starting;
  std::string reason_;
};

}  // namespace trunkline::main
