#include "main/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include "config/values.h"
#include "runtime/unique_fd.h"

namespace trunkline::main {

namespace {

std::unexpected<error> cannot(std::string what) {
  return fail({.message = fmt::format("{}: {}", what, std::generic_category().message(errno))});
}

/// The process whose number is in the file; nothing where there is no such file, or no process.
std::optional<pid_t> process_of(const std::string& path) {
  const runtime::unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  char text[32];
  const auto size = ::read(fd.get(), text, sizeof text);
  std::string_view number(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  number = number.substr(0, number.find_first_not_of("0123456789"));
  const auto pid = config::parse_integer(number);
  if (!pid || *pid < 1 || *pid > 0x7fff'ffff) return std::nullopt;
  const bool lives = ::kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH;
  return lives ? std::optional(static_cast<pid_t>(*pid)) : std::nullopt;
}

result<> fork_away() {
  const pid_t child = ::fork();
  if (child < 0) return cannot("cannot fork");
  if (child > 0) ::_exit(0);
  return {};
}

}  // namespace

result<> become_daemon() {
  const runtime::unique_fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nothing) return cannot("cannot open /dev/null");
  if (auto done = fork_away(); !done) return done;
  if (::setsid() < 0) return cannot("cannot begin a session");
  // Not its leader, so that no terminal becomes its own.
  if (auto done = fork_away(); !done) return done;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::dup2(nothing.get(), fd);
  return {};
}

result<> become_user(const std::string& name) {
  if (name.empty()) return {};
  errno = 0;
  const passwd* user = ::getpwnam(name.c_str());
  if (user == nullptr) return fail({.message = "there is no user \"" + name + "\""});
  if (user->pw_uid == ::geteuid()) return {};
  const auto what = "cannot become user \"" + name + "\"";
  if (::initgroups(name.c_str(), user->pw_gid) != 0 || ::setgid(user->pw_gid) != 0 ||
      ::setuid(user->pw_uid) != 0) {
    return cannot(what);
  }
  return {};
}

result<> pid_file::check(const std::string& path) {
  if (path.empty() || !process_of(path)) return {};
  return fail({.message = fmt::format("pidfile '{}' exists, another instance running?", path)});
}

result<std::unique_ptr<pid_file>> pid_file::write(const std::string& path) {
  if (path.empty()) return std::unique_ptr<pid_file>();
  if (auto free = check(path); !free) return fail(free.error());
  ::unlink(path.c_str());  // of a process that is no more
  const runtime::unique_fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return cannot("could not open pidfile '" + path + "'");
  const auto text = fmt::format("{}\n", ::getpid());
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return cannot("could not write pidfile '" + path + "'");
  return std::make_unique<pid_file>(path);
}

pid_file::~pid_file() {
  if (process_of(path_) == ::getpid()) ::unlink(path_.c_str());
}

result<std::unique_ptr<log_file>> log_file::open(const std::string& path, bool instead) {
  auto made = std::make_unique<log_file>(path, instead);
  if (auto done = made->reopen(); !done) return fail(done.error());
  return made;
}

log_file::~log_file() {
  if (beside_ != nullptr) std::fclose(beside_);
}

result<> log_file::reopen() {
  if (path_.empty() && !instead_) return {};
  const std::string to = path_.empty() ? "/dev/null" : path_;
  if (instead_) {
    const runtime::unique_fd fd(::open(to.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (!fd || ::dup2(fd.get(), STDERR_FILENO) < 0) return cannot("cannot open logfile '" + to + "'");
    return {};
  }
  // The logger's thread may be writing: the stream stays, and has a lock.
  if (beside_ != nullptr) {
    const runtime::unique_fd fd(::open(to.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
    if (!fd || ::dup3(fd.get(), ::fileno(beside_), O_CLOEXEC) < 0)
      return cannot("cannot open logfile '" + to + "'");
    return {};
  }
  beside_ = std::fopen(to.c_str(), "ae");
  if (beside_ == nullptr) return cannot("cannot open logfile '" + to + "'");
  return {};
}

}  // namespace trunkline::main
