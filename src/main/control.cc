#include "main/control.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/seconds.h"
#include "main/notify.h"
#include "runtime/send_batch.h"

namespace trunkline::main {

using namespace std::chrono_literals;
using telemetry::log_level;

namespace {

/// At files, and whatever else is done about once a second.
constexpr auto look_interval = 1s;

sigset_t control_signals(signal_habit habit) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int each : {SIGHUP, SIGTERM, SIGINT, SIGUSR2, control_requests::wake_signal()})
    ::sigaddset(&set, each);
  if (habit == signal_habit::pgbouncer) {
    ::sigaddset(&set, SIGUSR1);
    ::sigaddset(&set, SIGQUIT);
  }
  return set;
}

}  // namespace

void prepare_process(signal_habit habit) {
  const sigset_t set = control_signals(habit);
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

control::control(const serve_options& options, process_parts& parts, configuration_source& source,
                 config::loaded first, inheritance inherited)
    : options_(options),
      source_(source),
      log_(parts.log),
      inherited_(std::move(inherited)),
      gateway_(parts, inherited_, requests_),
      current_(std::move(first)) {
  admin_.emplace(observer_, gateway_.access(), [this] { return source_.seen(); }, log_, inherited_);
}

/// What was said of the one before is not said again.
void control::log_warnings(const config::loaded& loaded) {
  std::set<std::string> told;
  if (&loaded != &current_)
    for (const auto& each : current_.warnings)
      told.insert(each.render());
  for (const auto& each : loaded.warnings)
    if (const auto text = each.render(); !told.contains(text)) log_.write(log_level::warning, "config", text);
}

int control::next_signal(const sigset_t& which, std::chrono::milliseconds patience) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timespec time{seconds.count(), (patience - seconds).count() * 1'000'000};
  const int taken = ::sigtimedwait(&which, nullptr, &time);
  return taken > 0 ? taken : 0;
}

result<> control::reload(const char* why) {
  if (options_.before_reload) {
    if (auto done = options_.before_reload(); !done)
      log_.write(log_level::error, "log", done.error().message + ": lines go to the old one");
  }
  auto loaded = source_.load(current_.value->generation + 1);
  if (source_.is_watched()) watch_.watch(loaded.referenced_files);
  return apply(std::move(loaded), why);
}

result<> control::apply(config::loaded loaded, const char* why) {
  for (const auto& each : loaded.problems)
    log_.write(log_level::error, "config.reload", each.render());
  const auto stays = [&](const std::string& problem, const std::string& told) -> result<> {
    source_.settled(false);
    gateway_.reload_failed(problem);
    log_.write(log_level::error, "config.reload", told,
               {{"generation", static_cast<std::int64_t>(current_.value->generation)}});
    return fail({.code = sqlstate("F0000"),
                 .message = "RELOAD failed, see logs for additional details",
                 .hint = problem});
  };
  if (loaded.value == nullptr) {
    return stays(loaded.problems.empty() ? "" : loaded.problems.front().render(),
                 "the new configuration is wrong: the old one stays in force");
  }
  log_warnings(loaded);
  auto done = admin_->prepare(loaded.value->admin);
  if (done) done = gateway_.reload(loaded.value);
  if (!done) {
    return stays(done.error().message, done.error().message + ": the old configuration stays in force");
  }
  admin_->apply();
  current_ = std::move(loaded);
  source_.settled(true);
  log_.write(log_level::info, "config.reload", "a new configuration is in force",
             {{"generation", static_cast<std::int64_t>(current_.value->generation)},
              {"reason", std::string_view(why)}});
  return {};
}

/// As long as it is busy, but no longer than `time`: answers 0, or the signal that ends the process where
/// that came first.
int control::stay(std::chrono::milliseconds time, const std::function<bool()>& busy) {
  const auto over = std::chrono::steady_clock::now() + time;
  const sigset_t set = control_signals(options_.habit);
  for (auto next_tick = std::chrono::steady_clock::now() + 1s; busy();) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= over) break;
    if (now >= next_tick) {
      tick();
      next_tick = now + 1s;
    }
    const int which = next_signal(set, 50ms);
    if (which == SIGTERM || which == SIGINT || which == SIGQUIT) return which;
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
  source_.tick();
  tell_dropped_lines();
}

/// The admin address first: whoever sees a listener answer finds health and metrics there too.
result<> control::start() {
  auto done = admin_->prepare(current_.value->admin);
  if (done) done = gateway_.start(current_.value);
  if (!done) return done;
  if (source_.is_watched()) watch_.watch(current_.referenced_files);
  for (const auto& each : gateway_.listening()) {
    log_.write(log_level::info, "listening", each,
               {{"workers", static_cast<std::int64_t>(gateway_.worker_count())}});
  }
  admin_->apply();
  source_.settled(true);
  inherited_.ready();
  notify_manager("READY=1");
  return {};
}

control::outcome control::on_signal(int which) {
  if (which == SIGHUP) (void)reload("SIGHUP");
  if (which == control_requests::wake_signal()) return on_requests();
  if (options_.habit == signal_habit::pgbouncer) return on_signal_of_pgbouncer(which);
  if (which == SIGTERM) drain();
  if (which == SIGUSR2) return hand_over() ? outcome::end : outcome::go_on;
  return which == SIGTERM || which == SIGINT ? outcome::end : outcome::go_on;
}

/// As PgBouncer 1.23 and later: SIGTERM waits for clients, SIGINT for transactions, a second one for nothing.
control::outcome control::on_signal_of_pgbouncer(int which) {
  switch (which) {
    case SIGTERM:
      wait_for_clients("SIGTERM");
      return outcome::end;
    case SIGINT:
      wait_for_servers("SIGINT");
      return outcome::end;
    case SIGQUIT:
      log_.write(log_level::info, "shutdown", "SIGQUIT: at once");
      return outcome::end;
    case SIGUSR1:
      gateway_.pause_all();
      return outcome::go_on;
    case SIGUSR2:
      gateway_.resume_all();
      return outcome::go_on;
    default:
      return outcome::go_on;
  }
}

control::outcome control::on_requests() {
  while (auto asked = requests_.next()) {
    if (carry_out(*asked) == outcome::end) return outcome::end;
  }
  return outcome::go_on;
}

control::outcome control::carry_out(control_requests::request& asked) {
  switch (asked.verb) {
    case control_verb::reload:
      asked.answer->set_value(reload("RELOAD"));
      return outcome::go_on;
    case control_verb::set: {
      auto done = source_.set(asked.key, asked.value);
      if (done) done = apply(source_.load_changed(current_.value->generation + 1), "SET");
      asked.answer->set_value(std::move(done));
      return outcome::go_on;
    }
    case control_verb::shut_down:
      log_.write(log_level::info, "shutdown", "SHUTDOWN");
      asked.answer->set_value({});
      return outcome::end;
    case control_verb::shut_down_servers:
      asked.answer->set_value({});
      wait_for_servers("SHUTDOWN WAIT_FOR_SERVERS");
      return outcome::end;
    case control_verb::shut_down_clients:
      asked.answer->set_value({});
      wait_for_clients("SHUTDOWN WAIT_FOR_CLIENTS");
      return outcome::end;
  }
  return outcome::go_on;
}

/// Sessions end as their transactions finish, however long that takes; a second signal ends it.
void control::wait_for_servers(const char* why) {
  notify_manager("STOPPING=1");
  log_.write(
      log_level::info, "shutdown", "sessions end as their transactions finish",
      {{"reason", std::string_view(why)}, {"sessions", static_cast<std::int64_t>(gateway_.sessions())}});
  gateway_.close_listeners();
  gateway_.resume_all();  // who is paused could not end
  gateway_.drain(current_.value->drain_grace);
  stay(std::chrono::hours(24 * 365), [this] { return gateway_.sessions() > 0; });
}

void control::wait_for_clients(const char* why) {
  notify_manager("STOPPING=1");
  log_.write(
      log_level::info, "shutdown", "waits until the clients have gone",
      {{"reason", std::string_view(why)}, {"sessions", static_cast<std::int64_t>(gateway_.sessions())}});
  gateway_.close_listeners();
  stay(std::chrono::hours(24 * 365), [this] { return gateway_.sessions() > 0; });
}

/// Until the next look at files, or until the source wants something.
std::chrono::milliseconds control::patience(std::chrono::steady_clock::time_point next_look) const {
  const auto until = std::min(next_look, source_.due().value_or(next_look));
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  return std::max(left, 0ms);
}

void control::look() {
  if (source_.is_watched() && watch_.poll()) (void)reload("a file changed");
  if (gateway_.secrets_changed()) (void)reload("a Secret changed");
  tick();
}

void control::serve_until_ended() {
  const sigset_t set = control_signals(options_.habit);
  for (auto next_look = std::chrono::steady_clock::now() + look_interval;;) {
    const int which = next_signal(set, patience(next_look));
    if (which != 0 && on_signal(which) == outcome::end) return;
    if (const auto due = source_.due(); due && *due <= std::chrono::steady_clock::now())
      (void)reload("objects or Secrets changed");
    if (std::chrono::steady_clock::now() < next_look) continue;
    look();
    next_look = std::chrono::steady_clock::now() + look_interval;
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
  requests_.close();
  admin_.reset();  // whoever looks is gone before there is nothing to see
  source_.stop();
  gateway_.stop();
  log_.write(log_level::info, "stopped", "",
             {{"notPostgres", static_cast<std::int64_t>(gateway_.not_postgres())}});
  return exit_good;
}

}  // namespace trunkline::main
