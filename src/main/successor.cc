#include "main/successor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

#include "main/inheritance.h"

namespace trunkline::main {
namespace {

std::unexpected<error> cannot(const std::string& what, int code) {
  return fail({.message = fmt::format("cannot {}: {}", what, std::generic_category().message(code))});
}

/// As the kernel has them: nobody has to keep them for this.
std::vector<std::string> own_arguments() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::string> list;
  for (std::size_t at = 0; at < all.size(); at += list.back().size() + 1)
    list.emplace_back(all.c_str() + at);
  return list;
}

std::string own_executable() {
  std::error_code code;
  return std::filesystem::read_symlink("/proc/self/exe", code).string();
}

std::vector<std::string> environment_with(const std::string& note) {
  const std::string mine = std::string(handover_variable) + '=';
  std::vector<std::string> list;
  for (char** each = environ; each != nullptr && *each != nullptr; ++each)
    if (!std::string_view(*each).starts_with(mine)) list.emplace_back(*each);
  list.push_back(mine + note);
  return list;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (std::string& each : texts)
    list.push_back(each.data());
  list.push_back(nullptr);
  return list;
}

/// posix_spawn(3): no code of ours runs between the two, whatever locks the other threads hold. Everything is
/// closed on exec but `keep`, which a copy onto itself frees from that mark.
int spawn(const std::string& program, std::vector<std::string> arguments, const handover_note& note,
          pid_t& pid) {
  std::vector<std::string> environment = environment_with(encode_handover(note));
  posix_spawn_file_actions_t actions;
  if (const int code = ::posix_spawn_file_actions_init(&actions); code != 0) return code;
  int code = ::posix_spawn_file_actions_adddup2(&actions, note.link, note.link);
  for (const handed_socket& each : note.sockets)
    if (code == 0) code = ::posix_spawn_file_actions_adddup2(&actions, each.fd, each.fd);
  if (code == 0) {
    code = ::posix_spawnp(&pid, program.c_str(), &actions, nullptr, pointers_to(arguments).data(),
                          pointers_to(environment).data());
  }
  ::posix_spawn_file_actions_destroy(&actions);
  return code;
}

std::string end_of(int status) {
  if (WIFEXITED(status)) return fmt::format("it ended with exit code {}", WEXITSTATUS(status));
  return fmt::format("it was ended by signal {}", WTERMSIG(status));
}

}  // namespace

std::string program_path(std::string_view first_argument, std::string_view executable) {
  constexpr std::string_view replaced = " (deleted)";
  const std::string named(first_argument);
  const bool is_path = named.contains('/');
  if (is_path && ::access(named.c_str(), X_OK) == 0) return named;
  const std::string whole(executable);
  if (executable.ends_with(replaced) && ::access(whole.c_str(), X_OK) != 0)
    executable.remove_suffix(replaced.size());
  if (executable.empty()) return named;
  return std::string(executable);
}

result<successor> successor::start(std::vector<handed_socket> sockets) {
  std::vector<std::string> arguments = own_arguments();
  if (arguments.empty()) return fail({.message = "cannot read this process's arguments from /proc"});
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    return cannot("make a pair of sockets", errno);
  runtime::unique_fd ours(ends[0]);
  const runtime::unique_fd theirs(ends[1]);
  const std::string program = program_path(arguments.front(), own_executable());
  pid_t pid = -1;
  const handover_note note{.link = theirs.get(), .sockets = std::move(sockets)};
  if (const int code = spawn(program, std::move(arguments), note, pid); code != 0)
    return cannot("start " + program, code);
  return successor(pid, std::move(ours));
}

successor::successor(successor&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      link_(std::move(other.link_)),
      state_(other.state_),
      reason_(std::move(other.reason_)) {}

successor::~successor() {
  if (state_ != state::ready) end();
}

void successor::end() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void successor::give_up(std::string why) {
  state_ = state::failed;
  reason_ = std::move(why);
  end();
}

void successor::read_link() {
  std::array<char, 4'096> text{};
  const ssize_t size = ::recv(link_.get(), text.data(), text.size(), MSG_DONTWAIT);
  if (size <= 0) return;
  const std::string_view said(text.data(), static_cast<std::size_t>(size));
  if (said == ready_word) {
    state_ = state::ready;
  } else if (said.starts_with(failed_word)) {
    reason_ = said.substr(failed_word.size());
  }
}

successor::state successor::look() {
  if (state_ != state::starting) return state_;
  read_link();
  int status = 0;
  if (state_ == state::ready || ::waitpid(pid_, &status, WNOHANG) != pid_) return state_;
  pid_ = -1;
  read_link();  // its last words may have come between the two
  state_ = state::failed;
  if (reason_.empty()) reason_ = end_of(status);
  return state_;
}

}  // namespace trunkline::main
