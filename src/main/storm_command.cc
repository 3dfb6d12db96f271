#include "main/storm_command.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <expected>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/limits.h"
#include "config/values.h"
#include "main/control.h"
#include "main/options.h"
#include "main/terminal.h"
#include "storm/chart_page.h"
#include "storm/progress_line.h"
#include "storm/report_json.h"
#include "storm/report_text.h"

namespace trunkline::main {

namespace {

using namespace std::chrono_literals;
using storm::settings;

/// A terminal is told at once; whoever reads a log wants few lines.
constexpr std::chrono::milliseconds log_interval = 10s;

/// What was typed as what a storm is to be; remembers the first thing that is wrong.
class settings_reader {
 public:
  std::expected<settings, std::string> read(const storm_options& said) {
    if (said.clients > 0) made_.clients = said.clients;
    duration("--duration", said.duration, made_.duration, limits::storm_duration);
    duration("--late", said.late, made_.late, 10min);
    duration("--timeout", said.timeout, made_.timeout, 10min);
    duration("--idle", said.idle, made_.idle, limits::storm_duration);
    size("--bulk", said.bulk, made_.bulk_bytes);
    size("--read-rate", said.read_rate, made_.read_bytes_per_second);
    size("--memory", said.memory, made_.memory_bytes);
    made_.bulk_bytes = std::min<std::uint64_t>(made_.bulk_bytes, limits::storm_bulk_bytes);
    if (said.rate > 0) made_.rate = said.rate;
    if (said.login_rate > 0) made_.login_rate = said.login_rate;
    if (said.rows > 0) made_.rows = said.rows;
    if (said.seed > 0) made_.seed = said.seed;
    made_.short_lived = said.short_lived;
    const auto shape = std::ranges::find(storm::profile_names, said.profile);
    made_.shape = static_cast<storm::profile>(shape - storm::profile_names.begin());
    read_workloads(said);
    if (made_.late >= made_.timeout) wrong("--late must be smaller than --timeout");
    if (!wrong_.empty()) return std::unexpected(wrong_);
    return made_;
  }

 private:
  void wrong(std::string why) {
    if (wrong_.empty()) wrong_ = std::move(why);
  }

  void duration(const char* option, const std::string& text, std::chrono::milliseconds& into,
                std::chrono::milliseconds most) {
    if (text.empty()) return;
    const auto read = config::parse_duration(text);
    if (!read || *read <= 0ms || *read > most)
      return wrong(
          fmt::format("{}: \"{}\" is no duration up to {}", option, text, config::format_duration(most)));
    into = *read;
  }

  void size(const char* option, const std::string& text, std::uint64_t& into) {
    if (text.empty()) return;
    const auto read = config::parse_size(text);
    if (!read || *read < 1024) return wrong(fmt::format("{}: \"{}\" is no size from 1KiB", option, text));
    into = *read;
  }

  /// A storm of short-lived clients is one of logins, where nothing else is asked for.
  void read_workloads(const storm_options& said) {
    if (said.workloads.empty()) {
      if (said.short_lived) made_.mix = storm::workload_mix::only(storm::workload::login);
      return;
    }
    auto mix = storm::parse_workloads(said.workloads);
    if (!mix) return wrong("--workloads: " + mix.error());
    made_.mix = *mix;
  }

  settings made_;
  std::string wrong_;
};

/// Signals are blocked and looked for here, once in each tick. The first one finishes, the second one ends.
class spectator {
 public:
  spectator() = default;
  ~spectator() { clear_line(); }
  spectator(const spectator&) = delete;
  spectator& operator=(const spectator&) = delete;

  storm::wish look(const storm::progress& now) {
    if (signals_.look()) ++signals_seen_;
    show(now);
    if (signals_seen_ == 0) return storm::wish::go_on;
    return signals_seen_ == 1 ? storm::wish::finish : storm::wish::end;
  }

 private:
  void show(const storm::progress& now) {
    const auto columns = columns_of(STDERR_FILENO);
    if (columns) {
      fmt::print(stderr, "\r\x1b[K{}", storm::progress_line(now, std::max<std::size_t>(*columns, 2) - 1));
      shown_ = true;
      std::fflush(stderr);
    } else if (now.elapsed >= next_line_) {
      if (next_line_ > 0) fmt::print(stderr, "{}\n", storm::progress_line(now, 120));
      next_line_ += std::chrono::duration<double>(log_interval).count();
    }
  }
  void clear_line() const {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }

  const end_signals signals_;
  int signals_seen_ = 0;
  bool shown_ = false;
  double next_line_ = 0;
};

int refuse_usage(const std::string& why) {
  fmt::print(stderr, "trunkline storm: {}\n", why);
  return exit_usage;
}

/// A client has one connection, or two, to each path; some more are for libraries and the report.
std::optional<std::string> lack_of_files(const settings& how, std::size_t paths) {
  rlimit limit{};
  const std::size_t wanted = 2 * how.clients * paths + 64;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return std::nullopt;
  return fmt::format("{} clients may need {} open files, and this process may have {} (ulimit -n)",
                     how.clients, wanted, limit.rlim_cur);
}

bool write_chart(const std::string& file, const storm::report& of) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << (file.ends_with(".svg") ? storm::render_svg(of) : storm::render_html(of));
  out.close();
  if (out.fail()) fmt::print(stderr, "trunkline storm: {} cannot be written\n", file);
  return !out.fail();
}

int tell(const storm_options& options, const storm::report& of) {
  const auto columns = columns_of(STDOUT_FILENO);
  const std::string text =
      options.output == "json"
          ? storm::render_json(of)
          : storm::render_text(of, std::max(columns.value_or(usual_columns), least_columns),
                               columns.has_value());
  fmt::print("{}", text);
  bool told = std::fflush(stdout) == 0;
  if (!options.chart.empty()) told = write_chart(options.chart, of) && told;
  return told && of.clean() ? exit_good : exit_failure;
}

void add_load_options(CLI::App& to, storm_options& options) {
  to.add_option("--clients", options.clients, "how many at most (50)")
      ->check(CLI::Range(std::size_t{1}, limits::storm_clients));
  to.add_option("--duration", options.duration, "of the load, on two paths together (30s)");
  to.add_option("--profile", options.profile, "steady, ramp or spike")
      ->check(CLI::IsMember({"steady", "ramp", "spike"}));
  to.add_flag("--short-lived", options.short_lived, "each round of a client has a connection of its own");
  to.add_option(
      "--workloads", options.workloads,
      "what clients do, with their shares: query,prepared=3,... of login, query, prepared, pipeline, copy, "
      "bulk, cancel, notify, idle, disconnect");
  to.add_option("--rate", options.rate, "rounds a second, of all clients together (1000)")
      ->check(CLI::Range(0.01, static_cast<double>(limits::storm_rate)));
  to.add_option("--login-rate", options.login_rate, "logins a second, of all clients together (200)")
      ->check(CLI::Range(0.01, static_cast<double>(limits::storm_logins)));
  to.add_option("--memory", options.memory, "of this process: no more clients beyond it (1GiB)");
  to.add_option("--seed", options.seed, "of what is left to chance (1)");
}

void add_answer_options(CLI::App& to, storm_options& options) {
  to.add_option("--late", options.late, "an answer that takes longer is a finding (2s)");
  to.add_option("--timeout", options.timeout, "silence of this length is a missing answer (10s)");
  to.add_option("--idle", options.idle, "the longest silence of an idle client (5s)");
  to.add_option("--rows", options.rows, "of a usual result (20)")
      ->check(CLI::Range(std::uint32_t{1}, static_cast<std::uint32_t>(limits::storm_rows)));
  to.add_option("--bulk", options.bulk, "size of a large result (4MiB)");
  to.add_option("--read-rate", options.read_rate, "what a slow reader takes in a second (4MiB)");
}

}  // namespace

void add_storm_command(CLI::App& app, storm_options& options) {
  auto* command = app.add_subcommand(
      "storm",
      "puts a path to any Postgres under peak load and counts what goes wrong; exit 1 when anything does");
  command
      ->add_option(
          "DSN", options.dsn,
          "as for psql: a connection string or a postgresql:// URL; passwords from PGPASSWORD or a passfile")
      ->required();
  command->add_option("--compare", options.compare, "a second DSN: the paths are under load in short turns");
  add_load_options(*command, options);
  add_answer_options(*command, options);
  command->add_option("--output", options.output, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->add_option("--chart", options.chart, "writes latency over time to this file: HTML, or .svg");
}

int run_storm(const storm_options& options) {
  const auto how = settings_reader().read(options);
  if (!how) return refuse_usage(how.error());
  std::vector<client::conninfo> targets;
  for (const std::string* dsn : {&options.dsn, &options.compare}) {
    if (dsn->empty()) continue;
    auto read =
        client::parse_conninfo(*dsn, "trunkline storm", client::read_environment, client::read_password_file);
    if (!read) return refuse_usage((dsn == &options.dsn ? "DSN: " : "--compare: ") + read.error());
    targets.push_back(std::move(*read));
  }
  prepare_process(signal_habit::own);
  if (const auto lack = lack_of_files(*how, targets.size())) return refuse_usage(*lack);
  std::optional<spectator> watch(std::in_place);
  auto seen =
      storm::run(*how, std::move(targets), [&](const storm::progress& now) { return watch->look(now); });
  watch.reset();
  if (!seen) return refuse_usage(seen.error().message);
  return tell(options, *seen);
}

}  // namespace trunkline::main
