#include "main/pgbouncer_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "main/control.h"
#include "main/daemon.h"
#include "main/pgbouncer_source.h"
#include "main/version.h"

namespace trunkline::main {

namespace {

int complain(const std::string& what) {
  fmt::print(stderr, "trunkline: {}\n", what);
  return exit_usage;
}

/// Nothing of this process is there yet but what was read.
result<> settle(const pgbouncer_options& options, const pgbouncer::process_wishes& wishes) {
  if (options.daemon && wishes.pidfile.empty()) return fail({.message = "daemon needs pidfile configured"});
  if (auto done = become_user(options.user.empty() ? wishes.user : options.user); !done) return done;
  if (auto free = pid_file::check(wishes.pidfile); !free) return free;
  return options.daemon ? become_daemon() : result<>{};
}

int run_settled(const pgbouncer_options& options, pgbouncer_source& source, config::loaded loaded) {
  const auto wishes = source.wishes();
  auto log = log_file::open(wishes.logfile, options.daemon || options.quiet);
  if (!log) return complain(log.error().message);
  const auto pid = pid_file::write(wishes.pidfile);
  if (!pid) return complain(pid.error().message);
  serve_options serving{.config_file = options.from.file,
                        .habit = signal_habit::pgbouncer,
                        .log_also = (*log)->beside(),
                        .before_reload = [&log] { return (*log)->reopen(); },
                        .format = options.format};
  if (options.verbose + wishes.verbose > 0) serving.level = telemetry::log_level::debug;
  process_parts parts(serving);
  return control(serving, parts, source, std::move(loaded), inheritance()).run();
}

}  // namespace

int run_pgbouncer(const pgbouncer_options& options) {
  if (options.version) {
    fmt::print("{}", version_text());
    return std::fflush(stdout) == 0 ? exit_good : exit_failure;
  }
  if (options.reboot) {
    return complain(
        "-R is not supported: `trunkline serve` hands over to a new binary on SIGUSR2, and keeps its "
        "sessions");
  }
  if (options.from.file.empty()) return complain("no configuration file specified");
  pgbouncer_source source(options.from);
  auto loaded = source.load(1);
  for (const auto& each : loaded.problems)
    fmt::print(stderr, "{}\n", each.render());
  if (loaded.value == nullptr) return exit_usage;
  if (auto done = settle(options, source.wishes()); !done) return complain(done.error().message);
  prepare_process(signal_habit::pgbouncer);
  return run_settled(options, source, std::move(loaded));
}

}  // namespace trunkline::main
