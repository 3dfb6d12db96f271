#include "main/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

namespace trunkline::main {

namespace {

using std::chrono::milliseconds;
constexpr milliseconds poll_interval{20};
constexpr int cannot_start = 127;

bool become(const child_identity& who) {
  return initgroups(who.name.c_str(), who.group) == 0 && setresgid(who.group, who.group, who.group) == 0 &&
         setresuid(who.user, who.user, who.user) == 0;
}

bool redirect(const std::string& file) {
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) return false;
  if (file.empty()) return true;
  const int out = open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return out >= 0 && dup2(out, STDOUT_FILENO) >= 0 && dup2(out, STDERR_FILENO) >= 0;
}

/// Between fork and exec; this process has one thread, so ordinary functions may be called.
[[noreturn]] void run_child(const child_request& request, char* const* arguments, pid_t parent) {
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const bool ready = redirect(request.output_file) && (!request.identity || become(*request.identity)) &&
                     chdir(request.folder.c_str()) == 0;
  // Last, for a change of identity forgets it; then the parent may have died already.
  prctl(PR_SET_PDEATHSIG, request.parent_death_signal);
  if (ready && getppid() == parent) execv(arguments[0], arguments);
  _exit(cannot_start);
}

int code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void pause_for(milliseconds time) {
  ::poll(nullptr, 0, static_cast<int>(time.count()));
}

result<child_process> child_process::start(const child_request& request) {
  std::vector<std::string> copies = request.arguments;
  std::vector<char*> arguments;
  arguments.reserve(copies.size() + 1);
  for (auto& argument : copies)
    arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) run_child(request, arguments.data(), parent);
  if (pid < 0) {
    return fail({.message = fmt::format("cannot start {}: {}", request.arguments.front(),
                                        std::generic_category().message(errno))});
  }
  return child_process(pid);
}

child_process::child_process(child_process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), code_(std::exchange(other.code_, std::nullopt)) {}

child_process::~child_process() {
  if (pid_ > 0 && !poll()) end(SIGKILL, milliseconds{0});
}

std::optional<int> child_process::poll() {
  int status = 0;
  if (!code_ && waitpid(pid_, &status, WNOHANG) == pid_) code_ = code_of(status);
  return code_;
}

std::optional<int> child_process::wait(milliseconds patience) {
  for (milliseconds waited{0}; waited < patience && !poll(); waited += poll_interval)
    pause_for(poll_interval);
  return poll();
}

int child_process::end(int signal, milliseconds patience) {
  if (poll()) return *code_;
  kill(pid_, signal);
  if (wait(patience)) return *code_;
  kill(pid_, SIGKILL);
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  code_ = code_of(status);
  return *code_;
}

}  // namespace trunkline::main
