#include "main/demo_postgres.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <vector>

#include "tls/self_signed.h"

namespace trunkline::main {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds initdb_patience{60'000};
constexpr milliseconds start_patience{30'000};
constexpr milliseconds server_poll{50};

bool holds_postgres(const fs::path& folder) {
  return access((folder / "initdb").c_str(), X_OK) == 0 && access((folder / "postgres").c_str(), X_OK) == 0;
}

std::vector<fs::path> folders_of_path() {
  std::vector<fs::path> folders;
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    if (end > 0) folders.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return folders;
}

int version_of(const fs::path& folder) {
  const auto name = folder.filename().string();
  int version = 0;
  std::from_chars(name.data(), name.data() + name.size(), version);
  return version;
}

/// Debian's layout, newest version first.
std::vector<fs::path> installed_versions() {
  std::vector<fs::path> folders;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", failure))
    folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end(),
            [](const auto& a, const auto& b) { return version_of(a) > version_of(b); });
  for (auto& folder : folders)
    folder /= "bin";
  return folders;
}

std::string last_lines(const std::string& file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back("  " + line + '\n');
    if (lines.size() > 10) lines.erase(lines.begin());
  }
  std::string text;
  for (const auto& line : lines)
    text += line;
  return text;
}

/// pg_ctl reads the same: the last line of postmaster.pid tells the state.
bool is_ready(const std::string& pid_file) {
  std::ifstream stream(pid_file);
  std::string last;
  for (std::string line; std::getline(stream, line);)
    last = line;
  return last.starts_with("ready");
}

std::unexpected<error> failed(const demo_server& server, std::string_view what) {
  return fail({.message = fmt::format("{}; the end of {}:\n{}", what, server.log_file(),
                                      last_lines(server.log_file()))});
}

}  // namespace

result<std::string> find_postgres() {
  if (const char* given = std::getenv("TRUNKLINE_PG_BIN"); given != nullptr && *given != '\0') {
    if (holds_postgres(given)) return given;
    return fail(
        {.message = fmt::format("TRUNKLINE_PG_BIN is {}, which holds no initdb and postgres", given)});
  }
  auto candidates = folders_of_path();
  for (auto& folder : installed_versions())
    candidates.push_back(std::move(folder));
  const auto found = std::find_if(candidates.begin(), candidates.end(), holds_postgres);
  if (found != candidates.end()) return found->string();
  return fail(
      {.message = "no PostgreSQL server found on this machine",
       .hint = "install one (Debian: apt-get install postgresql), or set TRUNKLINE_PG_BIN to the folder that "
               "holds initdb and postgres"});
}

result<std::optional<child_identity>> postgres_identity() {
  if (geteuid() != 0) return std::optional<child_identity>{};
  for (const char* name : {"postgres", "nobody"}) {
    const passwd* entry = getpwnam(name);
    if (entry != nullptr && entry->pw_uid != 0) return child_identity{entry->pw_uid, entry->pw_gid, name};
  }
  return fail(
      {.message = "PostgreSQL does not run as root, and there is no user postgres or nobody to run it"});
}

result<> create_database(const demo_server& server) {
  const std::string password_file = server.folder + "/password";
  if (auto written = tls::write_private(password_file, server.password.reveal()); !written) return written;
  if (server.identity && chown(password_file.c_str(), server.identity->user, server.identity->group) != 0) {
    return fail({.message = "cannot give the password file away: " + std::generic_category().message(errno)});
  }
  auto made = child_process::start(
      {.arguments = {server.programs + "/initdb", "-D", server.folder + "/data", "-U", server.user, "-A",
                     "scram-sha-256", "--pwfile", password_file, "-E", "UTF8", "--no-locale", "--no-sync"},
       .folder = server.folder,
       .output_file = server.log_file(),
       .identity = server.identity});
  if (!made) return fail(made.error());
  const auto code = made->wait(initdb_patience);
  std::error_code ignored;
  fs::remove(password_file, ignored);
  if (code != 0) return failed(server, "initdb failed");
  return {};
}

result<child_process> start_database(const demo_server& server) {
  auto running = child_process::start(
      {.arguments = {server.programs + "/postgres", "-D", server.folder + "/data", "-c", "listen_addresses=",
                     "-c", "unix_socket_directories=" + server.folder, "-c", "port=5432", "-c", "fsync=off",
                     "-c", "logging_collector=off", "-c", "password_encryption=scram-sha-256"},
       .folder = server.folder,
       .output_file = server.log_file(),
       .identity = server.identity,
       .parent_death_signal = SIGINT});
  if (!running) return running;
  for (milliseconds waited{0}; waited < start_patience; waited += server_poll) {
    if (is_ready(server.folder + "/data/postmaster.pid")) return running;
    if (running->poll()) return failed(server, "postgres ended while it started");
    pause_for(server_poll);
  }
  running->end(SIGINT, milliseconds{5'000});
  return failed(server, "postgres did not become ready");
}

}  // namespace trunkline::main
