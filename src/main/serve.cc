#include "main/serve.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/seconds.h"
#include "config/load.h"
#include "main/admin_wiring.h"
#include "main/gateway.h"
#include "main/gateway_observer.h"
#include "main/reload_watch.h"
#include "runtime/send_batch.h"

namespace trunkline::main {

using telemetry::log_level;

namespace {

sigset_t control_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int each : {SIGHUP, SIGTERM, SIGINT})
    ::sigaddset(&set, each);
  return set;
}

void prepare_process() {
  // Before any thread is made, so that all inherit it: signals are taken by the control thread only.
  const sigset_t set = control_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  // Keys and passwords live in memory: no core file (G12).
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

void print_problems(const config::loaded& loaded) {
  for (const auto& each : loaded.problems)
    fmt::print(stderr, "{}\n", each.render());
}

class control {
 public:
  control(const serve_options& options, config::loaded first)
      : options_(options), log_(options.format, options.level), gateway_(log_), current_(std::move(first)) {
    admin_.emplace(observer_, log_);
  }

  int run();

 private:
  void reload(const char* why);
  void log_warnings(const config::loaded& loaded);
  void log_io_uring();
  /// The next control signal, or 0 after a second.
  static int next_signal();
  void drain();
  void tell_dropped_lines();

  const serve_options& options_;
  telemetry::logger log_;
  gateway gateway_;
  gateway_observer observer_{gateway_};
  std::optional<admin_server> admin_;
  config::loaded current_;
  reload_watch watch_;
  std::uint64_t dropped_lines_ = 0;
};

void control::log_warnings(const config::loaded& loaded) {
  for (const auto& each : loaded.warnings)
    log_.write(log_level::warning, "config", each.render());
}

int control::next_signal() {
  const sigset_t set = control_signals();
  const timespec second{1, 0};
  const int which = ::sigtimedwait(&set, nullptr, &second);
  return which > 0 ? which : 0;
}

void control::reload(const char* why) {
  config::load_options options;
  options.generation = current_.value->generation + 1;
  auto loaded = config::load_file(options_.config_file, options);
  watch_.watch(loaded.referenced_files);
  for (const auto& each : loaded.problems)
    log_.write(log_level::error, "config.reload", each.render());
  if (loaded.value == nullptr) {
    gateway_.reload_failed(loaded.problems.empty() ? "" : loaded.problems.front().render());
    log_.write(log_level::error, "config.reload",
               "the new configuration is wrong: the old one stays in force",
               {{"generation", static_cast<std::int64_t>(current_.value->generation)}});
    return;
  }
  log_warnings(loaded);
  auto done = admin_->prepare(loaded.value->admin);
  if (done) done = gateway_.reload(loaded.value);
  if (!done) {
    gateway_.reload_failed(done.error().message);
    log_.write(log_level::error, "config.reload",
               done.error().message + ": the old configuration stays in force",
               {{"generation", static_cast<std::int64_t>(current_.value->generation)}});
    return;
  }
  admin_->apply();
  current_ = std::move(loaded);
  log_.write(log_level::info, "config.reload", "a new configuration is in force",
             {{"generation", static_cast<std::int64_t>(current_.value->generation)},
              {"reason", std::string_view(why)}});
}

void control::drain() {
  const auto grace = current_.value->drain_grace;
  log_.write(
      log_level::info, "drain", "sessions end as their transactions finish",
      {{"sessions", static_cast<std::int64_t>(gateway_.sessions())}, {"graceSeconds", seconds_of(grace)}});
  gateway_.drain();
  const auto over = std::chrono::steady_clock::now() + grace;
  const sigset_t set = control_signals();
  while (gateway_.sessions() > 0 && std::chrono::steady_clock::now() < over) {
    const timespec moment{0, 50'000'000};
    if (::sigtimedwait(&set, nullptr, &moment) == SIGINT) break;
  }
}

void control::tell_dropped_lines() {
  const auto dropped = log_.dropped();
  if (dropped == dropped_lines_) return;
  log_.write(log_level::warning, "log", "lines were lost: standard error takes them too slowly",
             {{"lines", static_cast<std::int64_t>(dropped - dropped_lines_)}});
  dropped_lines_ = dropped;
}

void control::log_io_uring() {
  const int refused = runtime::send_batch().open();
  if (refused == 0) return;
  log_.write(log_level::info, "io_uring",
             "not available here: every write is a system call of its own, which costs more processor time",
             {{"error", std::strerror(refused)}});
}

int control::run() {
  log_warnings(current_);
  log_io_uring();
  // The admin address first: whoever sees a listener answer finds health and metrics there too.
  auto done = admin_->prepare(current_.value->admin);
  if (done) done = gateway_.start(current_.value);
  if (!done) {
    log_.write(log_level::error, "serve", done.error().message);
    return exit_usage;
  }
  watch_.watch(current_.referenced_files);
  for (const auto& each : gateway_.listening()) {
    log_.write(log_level::info, "listening", each,
               {{"workers", static_cast<std::int64_t>(gateway_.worker_count())}});
  }
  admin_->apply();
  for (;;) {
    const int which = next_signal();
    if (which == SIGTERM) drain();
    if (which == SIGTERM || which == SIGINT) break;
    if (which == SIGHUP) reload("SIGHUP");
    if (which == 0 && watch_.poll()) reload("a file changed");
    gateway_.tick(std::chrono::steady_clock::now());
    tell_dropped_lines();
  }
  admin_.reset();  // whoever looks is gone before there is nothing to see
  gateway_.stop();
  log_.write(log_level::info, "stopped", "",
             {{"notPostgres", static_cast<std::int64_t>(gateway_.not_postgres())}});
  return exit_good;
}

}  // namespace

int serve(const serve_options& options) {
  prepare_process();
  auto loaded = config::load_file(options.config_file);
  if (loaded.value == nullptr) {
    print_problems(loaded);
    return exit_usage;
  }
  return control(options, std::move(loaded)).run();
}

}  // namespace trunkline::main
