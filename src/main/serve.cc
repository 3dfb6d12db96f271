#include "main/serve.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>

#include "base/seconds.h"
#include "config/load.h"
#include "main/admin_wiring.h"
#include "main/gateway.h"
#include "main/gateway_observer.h"
#include "main/inheritance.h"
#include "main/notify.h"
#include "main/reload_watch.h"
#include "main/successor.h"
#include "runtime/send_batch.h"

namespace trunkline::main {

using namespace std::chrono_literals;
using telemetry::log_level;

namespace {

sigset_t control_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int each : {SIGHUP, SIGTERM, SIGINT, SIGUSR2})
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

/// For whoever typed the command, or into the log that this process shares with the one it was to take over
/// from.
void tell_problems(const config::loaded& loaded, const serve_options& options, const inheritance& inherited) {
  if (!inherited.takes_over()) {
    for (const auto& each : loaded.problems)
      fmt::print(stderr, "{}\n", each.render());
    return;
  }
  telemetry::logger log(options.format, options.level);
  for (const auto& each : loaded.problems)
    log.write(log_level::error, "config", each.render());
  inherited.failed(loaded.problems.empty() ? "" : loaded.problems.front().render());
}

class control {
 public:
  control(const serve_options& options, config::loaded first, inheritance inherited)
      : options_(options),
        log_(options.format, options.level),
        inherited_(std::move(inherited)),
        gateway_(log_, inherited_),
        current_(std::move(first)) {
    admin_.emplace(observer_, log_, inherited_);
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
  bool hand_over();
  bool await(successor& next);
  void leave_to(successor& next);
  result<> start();
  void serve_until_ended();
  void tick();
  void tell_dropped_lines();

  const serve_options& options_;
  telemetry::logger log_;
  inheritance inherited_;
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
  notify_manager("STOPPING=1");
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

// ---- SIGUSR2 ----

/// True: the other process serves, and this one's sessions are over.
bool control::hand_over() {
  if (::getpid() == 1) {
    log_.write(log_level::error, "handover",
               "this is process 1 of its container, which ends with it: replace the container instead");
    return false;
  }
  auto sockets = gateway_.sockets_to_hand_over();
  if (auto admin = admin_->socket_to_hand_over()) sockets.push_back(std::move(*admin));
  auto next = successor::start(std::move(sockets));
  if (!next) {
    log_.write(log_level::error, "handover", next.error().message + ": this process goes on");
    return false;
  }
  log_.write(log_level::info, "handover", "a new process starts",
             {{"pid", static_cast<std::int64_t>(next->pid())}});
  if (!await(*next)) {
    log_.write(log_level::error, "handover",
               "the new process did not start: " + next->reason() + ": this process goes on");
    return false;
  }
  leave_to(*next);
  return true;
}

/// Until the new process is ready, this one serves as before; what else it is told waits.
bool control::await(successor& next) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  const auto late = std::chrono::steady_clock::now() + limits::handover_ready;
  while (next.look() == successor::state::starting) {
    if (std::chrono::steady_clock::now() >= late) {
      next.give_up("it was not ready in time");
    } else if (const int which = next_signal(set, 20ms)) {
      next.give_up("this process was told to end");
      ::kill(::getpid(), which);  // blocked: it is taken next
    }
  }
  return next.look() == successor::state::ready;
}

/// Sessions go on undisturbed, and end as in a drain when the grace time draws to its end.
void control::leave_to(successor& next) {
  const auto grace = current_.value->drain_grace;
  notify_manager(fmt::format("MAINPID={}\nREADY=1", next.pid()));
  admin_->hand_over();
  gateway_.hand_over(next.take_link());
  log_.write(log_level::info, "handover", "the new process has taken over; sessions go on here",
             {{"pid", static_cast<std::int64_t>(next.pid())},
              {"sessions", static_cast<std::int64_t>(gateway_.sessions())},
              {"graceSeconds", seconds_of(grace)}});
  const auto last_call = std::min(grace / 4, limits::handover_last_call);
  // Cancel requests for sessions of the process before this one pass through here.
  const int told =
      stay(grace - last_call, [this] { return gateway_.sessions() > 0 || inherited_.elder_lives(); });
  if (told != SIGINT && gateway_.sessions() > 0) end_sessions(told == SIGTERM ? grace : last_call);
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
  inherited_.ready();
  notify_manager("READY=1");
  return {};
}

void control::serve_until_ended() {
  const sigset_t set = control_signals();
  for (;;) {
    const int which = next_signal(set, 1s);
    if (which == SIGTERM) drain();
    if (which == SIGTERM || which == SIGINT) break;
    if (which == SIGUSR2 && hand_over()) break;
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
    inherited_.failed(done.error().message);
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
  auto inherited = inheritance::take();
  if (!inherited) {
    fmt::print(stderr, "{}\n", inherited.error().message);
    return exit_usage;
  }
  auto loaded = config::load_file(options.config_file);
  if (loaded.value == nullptr) {
    tell_problems(loaded, options, *inherited);
    return exit_usage;
  }
  return control(options, std::move(loaded), std::move(*inherited)).run();
}

}  // namespace trunkline::main
