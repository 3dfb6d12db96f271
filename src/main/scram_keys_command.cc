#include "main/scram_keys_command.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <optional>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "auth/scram_keys.h"
#include "main/options.h"

namespace trunkline::main {

namespace {

/// Nothing that is typed is shown while it lives.
class silent_terminal {
 public:
  silent_terminal() {
    if (::isatty(STDIN_FILENO) == 0 || ::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    fmt::print(stderr, "Password: ");
  }
  ~silent_terminal() {
    if (!silent_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    fmt::print(stderr, "\n");
  }
  silent_terminal(const silent_terminal&) = delete;
  silent_terminal& operator=(const silent_terminal&) = delete;

 private:
  termios before_{};
  bool silent_ = false;
};

std::optional<secret_text> read_password() {
  const silent_terminal silent;
  std::string line;
  if (!std::getline(std::cin, line) || line.empty()) return std::nullopt;
  return secret_text(std::move(line));
}

}  // namespace

void add_scram_keys_command(CLI::App& app, std::string& verifier) {
  auto* command = app.add_subcommand(
      "scram-keys",
      "keys for a passwordFile that does not hold the password, which is read from standard input");
  command->add_option("--verifier", verifier, "rolpassword of the user, from the server's pg_authid")
      ->required();
}

int print_scram_keys(const std::string& verifier) {
  const auto known = auth::parse_verifier(verifier);
  if (!known) {
    fmt::print(stderr, "trunkline: {}\n{}\n", known.error().message, known.error().hint);
    return exit_usage;
  }
  const auto password = read_password();
  if (!password) {
    fmt::print(stderr, "trunkline: no password on standard input\n");
    return exit_usage;
  }
  const auto keys = auth::derive(password->reveal(), known->salt, known->iterations);
  const auto stored = auth::verifier_of(keys, known->salt, known->iterations).stored_key;
  if (!auth::equal_in_constant_time(stored.reveal(), known->stored_key.reveal())) {
    fmt::print(stderr, "trunkline: the verifier is of another password\n");
    return exit_failure;
  }
  const auto text =
      auth::format_client_keys({.keys = keys, .salt = known->salt, .iterations = known->iterations});
  fmt::print("{}\n", text.reveal());
  return std::fflush(stdout) == 0 ? exit_good : exit_failure;
}

}  // namespace trunkline::main
