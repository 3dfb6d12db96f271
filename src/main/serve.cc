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

using namespace std::chrono_literals;
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
  /// The next control signal of `which`, or 0 after `patience`.
  static int next_signal(const sigset_t& which, std::chrono::milliseconds patience);
  void drain();
  void end_sessions(std::chrono::milliseconds grace);
  template <class Busy>
  int stay(std::chrono::milliseconds time, Busy busy);
  result<> start();
  void serve_until_ended();
  void tick();
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

int control::next_signal(const sigset_t& which, std::chrono::milliseconds patience) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timespec time{seconds.count(), (patience - seconds).count() * 1'000'000};
  const int taken = ::sigtimedwait(&which, nullptr, &time);
  return taken > 0 ? taken : 0;
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

/// As long as it is busy, but no longer than `time`: answers 0, or SIGTERM or SIGINT where that came first.
template <class Busy>
int control::stay(std::chrono::milliseconds time, Busy busy) {
  const auto over = std::chrono::steady_clock::now() + time;
  const sigset_t set = control_signals();
  for (auto next_tick = std::chrono::steady_clock::now() + 1s; busy();) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= over) break;
    if (now >= next_tick) {
      tick();
      next_tick = now + 1s;
    }
    const int which = next_signal(set, 50ms);
    if (which == SIGTERM || which == SIGINT) return which;
  }
  return 0;
}

void control::drain() {
  const auto delay = current_.value->drain_delay;
  gateway_.announce_drain();
  if (delay.count() > 0) {
    log_.write(log_level::info, "drain", "not ready any more; sessions are still taken for the delay",
               {{"delaySeconds", seconds_of(delay)}});
    if (stay(delay, [] { return true; }) != 0) return;
  }
  end_sessions(current_.value->drain_grace);
}

void control::end_sessions(std::chrono::milliseconds grace) {
  log_.write(
      log_level::info, "drain", "sessions end as their transactions finish",
      {{"sessions", static_cast<std::int64_t>(gateway_.sessions())}, {"graceSeconds", seconds_of(grace)}});
  gateway_.drain(grace);
  stay(grace, [this] { return gateway_.sessions() > 0; });
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

void control::tick() {
  gateway_.tick(std::chrono::steady_clock::now());
  tell_dropped_lines();
}

/// The admin address first: whoever sees a listener answer finds health and metrics there too.
result<> control::start() {
  auto done = admin_->prepare(current_.value->admin);
  if (done) done = gateway_.start(current_.value);
  if (!done) return done;
  watch_.watch(current_.referenced_files);
  for (const auto& each : gateway_.listening()) {
    log_.write(log_level::info, "listening", each,
               {{"workers", static_cast<std::int64_t>(gateway_.worker_count())}});
  }
  admin_->apply();
  return {};
}

void control::serve_until_ended() {
  const sigset_t set = control_signals();
  for (;;) {
    const int which = next_signal(set, 1s);
    if (which == SIGTERM) drain();
    if (which == SIGTERM || which == SIGINT) break;
    if (which == SIGHUP) reload("SIGHUP");
    if (which == 0 && watch_.poll()) reload("a file changed");
    tick();
  }
}

int control::run() {
  log_warnings(current_);
  log_io_uring();
  if (auto done = start(); !done) {
    log_.write(log_level::error, "serve", done.error().message);
    return exit_usage;
  }
  serve_until_ended();
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
