#include "main/demo.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <system_error>

#include "main/child_process.h"
#include "main/demo_postgres.h"
#include "tls/self_signed.h"

namespace trunkline::main {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::uint16_t usual_port = 6432;
constexpr milliseconds gateway_patience{20'000};
constexpr milliseconds gateway_poll{50};
constexpr milliseconds watch_interval{200};
constexpr milliseconds end_patience{10'000};

std::string system_text() {
  return std::generic_category().message(errno);
}

/// The folder of this demo: made with a name of its own, removed when the command ends.
class scratch_folder {
 public:
  static result<scratch_folder> make() {
    // Not TMPDIR: the path of a unix socket must stay below 108 bytes.
    std::string name = "/tmp/trunkline-demo-XXXXXX";
    if (mkdtemp(name.data()) == nullptr)
      return fail({.message = "cannot make a folder in /tmp: " + system_text()});
    return scratch_folder(std::move(name));
  }
  scratch_folder(scratch_folder&& other) noexcept
      : path_(std::exchange(other.path_, {})), keep_(other.keep_) {}
  scratch_folder& operator=(scratch_folder&&) = delete;
  scratch_folder(const scratch_folder&) = delete;
  ~scratch_folder() {
    std::error_code ignored;
    if (!path_.empty() && !keep_) fs::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  void keep() { keep_ = true; }

 private:
  explicit scratch_folder(std::string path) : path_(std::move(path)) {}

  std::string path_;
  bool keep_ = false;
};

/// SIGINT, SIGTERM and SIGHUP wait until they are asked for, from before the first child on.
class stop_signals {
 public:
  stop_signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP})
      sigaddset(&set_, signal);
    sigprocmask(SIG_BLOCK, &set_, nullptr);
  }
  bool came_within(milliseconds time) const {
    const timespec limit{.tv_sec = time.count() / 1000, .tv_nsec = time.count() % 1000 * 1'000'000};
    return sigtimedwait(&set_, nullptr, &limit) > 0;
  }

 private:
  sigset_t set_{};
};

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

class tcp_socket {
 public:
  tcp_socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~tcp_socket() {
    if (fd_ >= 0) close(fd_);
  }
  tcp_socket(const tcp_socket&) = delete;
  tcp_socket& operator=(const tcp_socket&) = delete;

  /// The port; 0 where it is taken.
  std::uint16_t bind_to(std::uint16_t port) const {
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at = loopback(port);
    socklen_t size = sizeof at;
    if (bind(fd_, reinterpret_cast<const sockaddr*>(&at), size) != 0 || listen(fd_, 1) != 0) return 0;
    return getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) == 0 ? ntohs(at.sin_port) : 0;
  }
  bool connects_to(std::uint16_t port) const {
    const sockaddr_in at = loopback(port);
    return connect(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  }

 private:
  int fd_;
};

result<std::uint16_t> choose_port(const demo_options& options) {
  const std::uint16_t wanted = options.port.value_or(usual_port);
  if (tcp_socket().bind_to(wanted) != 0) return wanted;
  const std::uint16_t any = options.port ? 0 : tcp_socket().bind_to(0);
  if (any != 0) return any;
  return fail({.message = fmt::format("port {} is taken", wanted), .hint = "choose another one with --port"});
}

secret_text make_password() {
  constexpr std::string_view letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
  std::random_device source;
  std::uniform_int_distribution<std::size_t> any(0, letters.size() - 1);
  std::string password;
  while (password.size() < 20)
    password += letters[any(source)];
  return secret_text(std::move(password));
}

/// ca.crt, server.crt and server.key: an authority of this demo's own, good for three months.
result<> write_certificates(const std::string& folder) {
  const auto now = std::chrono::system_clock::now();
  const auto until = now + std::chrono::days(90);
  const auto from = now - std::chrono::hours(1);
  const auto authority = tls::issue(
      {.common_name = "trunkline demo authority", .not_before = from, .not_after = until, .authority = true});
  if (!authority) return fail(authority.error());
  const auto server = tls::issue({.common_name = "localhost",
                                  .dns_names = {"localhost"},
                                  .ip_addresses = {"127.0.0.1"},
                                  .not_before = from,
                                  .not_after = until},
                                 &*authority);
  if (!server) return fail(server.error());
  if (auto done = tls::write_private(folder + "/ca.crt", authority->certificate_pem); !done) return done;
  if (auto done = tls::write_private(folder + "/server.crt", server->certificate_pem); !done) return done;
  return tls::write_private(folder + "/server.key", server->key_pem.reveal());
}

std::string config_text(const demo_server& server, std::uint16_t port) {
  return fmt::format(
      "listeners:\n"
      "  - name: demo\n"
      "    address: 127.0.0.1:{}\n"
      "    tls:\n"
      "      certificates: [{{certFile: server.crt, keyFile: server.key}}]\n"
      "routes:\n"
      "  - name: demo\n"
      "    upstream: postgres\n"
      "upstreams:\n"
      "  - name: postgres\n"
      "    endpoints: [\"unix:{}\"]\n"
      "admin:\n"
      "  address: 127.0.0.1:0\n"
      "  console: {{users: {}, verifierFile: console.users}}\n",
      port, server.socket_file(), server.user);
}

result<child_process> start_gateway(const std::string& folder, const demo_options& options,
                                    std::uint16_t port) {
  const bool json = options.format == telemetry::log_format::json;
  constexpr std::array<const char*, 4> levels{"debug", "info", "warn", "error"};
  auto running = child_process::start(
      {.arguments = {"/proc/self/exe", "serve", "-c", folder + "/trunkline.yaml", "--log-format",
                     json ? "json" : "text", "--log-level", levels[static_cast<std::size_t>(options.level)]},
       .folder = folder});
  if (!running) return running;
  for (milliseconds waited{0}; waited < gateway_patience; waited += gateway_poll) {
    if (tcp_socket().connects_to(port)) return running;
    if (running->poll()) return fail({.message = "the gateway ended while it started"});
    pause_for(gateway_poll);
  }
  return fail({.message = "the gateway does not accept connections"});
}

void print_welcome(const demo_server& server, std::uint16_t port) {
  fmt::print(
      "\n"
      "A throwaway PostgreSQL, and Trunkline before it. Connect through the gateway, with TLS and its "
      "certificate\n"
      "checked:\n\n"
      "  psql \"host=localhost hostaddr=127.0.0.1 port={} user={} password={} dbname=postgres "
      "sslmode=verify-full "
      "sslrootcert={}/ca.crt\"\n\n"
      "Directly, for comparison:\n\n"
      "  psql \"host={} user={} password={} dbname=postgres\"\n\n"
      "The gateway's own console, where SHOW HELP lists what it shows:\n\n"
      "  psql \"host=localhost hostaddr=127.0.0.1 port={} user={} password={} dbname=trunkline "
      "sslmode=verify-full sslrootcert={}/ca.crt\"\n\n"
      "The gateway's configuration is {}/trunkline.yaml. Ctrl-C ends and removes everything.\n",
      port, server.user, server.password.reveal(), server.folder, server.folder, server.user,
      server.password.reveal(), port, server.user, server.password.reveal(), server.folder, server.folder);
  std::fflush(stdout);
}

int give_up(const error& why) {
  fmt::print(stderr, "trunkline demo: {}\n", why.message);
  if (!why.hint.empty()) fmt::print(stderr, "hint: {}\n", why.hint);
  return exit_failure;
}

/// The server must read what is in the folder; root keeps what it makes itself.
result<> hand_over(const demo_server& server) {
  if (!server.identity) return {};
  if (chown(server.folder.c_str(), server.identity->user, server.identity->group) == 0) return {};
  return fail({.message = "cannot hand over " + server.folder + ": " + system_text()});
}

int watch(child_process& database, child_process& gateway, const demo_server& server,
          const stop_signals& signals) {
  while (!signals.came_within(watch_interval)) {
    if (const auto code = gateway.poll()) {
      return give_up({.message = fmt::format("the gateway ended with exit code {}", *code)});
    }
    if (const auto code = database.poll()) {
      return give_up(
          {.message = fmt::format("PostgreSQL ended with exit code {}; see {}", *code, server.log_file())});
    }
  }
  fmt::print(stderr, "ending and removing everything\n");
  return exit_good;
}

int run_in(const std::string& folder, const demo_options& options, const stop_signals& signals) {
  demo_server server{.folder = folder, .user = "demo", .password = make_password()};
  auto programs = find_postgres();
  if (!programs) return give_up(programs.error());
  server.programs = *programs;
  auto identity = postgres_identity();
  if (!identity) return give_up(identity.error());
  server.identity = *identity;
  const auto port = choose_port(options);
  if (!port) return give_up(port.error());
  if (auto done = hand_over(server); !done) return give_up(done.error());

  fmt::print(stderr, "making a database with {} in {}\n", server.programs, folder);
  if (auto done = create_database(server); !done) return give_up(done.error());
  auto database = start_database(server);
  if (!database) return give_up(database.error());
  if (auto done = write_certificates(folder); !done) return give_up(done.error());
  const auto users = fmt::format("\"{}\" \"{}\"\n", server.user, server.password.reveal());
  if (auto done = tls::write_private(folder + "/console.users", users); !done) return give_up(done.error());
  if (auto done = tls::write_private(folder + "/trunkline.yaml", config_text(server, *port)); !done) {
    return give_up(done.error());
  }
  auto gateway = start_gateway(folder, options, *port);
  int code = exit_failure;
  if (gateway) {
    print_welcome(server, *port);
    code = watch(*database, *gateway, server, signals);
    gateway->end(SIGINT, end_patience);
  } else {
    give_up(gateway.error());
  }
  database->end(SIGINT, end_patience);
  return code;
}

}  // namespace

int demo(const demo_options& options) {
  const stop_signals signals;
  auto folder = scratch_folder::make();
  if (!folder) return give_up(folder.error());
  if (options.keep) {
    folder->keep();
    fmt::print(stderr, "keeping {}\n", folder->path());
  }
  return run_in(folder->path(), options, signals);
}

}  // namespace trunkline::main
