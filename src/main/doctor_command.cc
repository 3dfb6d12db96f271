#include "main/doctor_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "base/limits.h"
#include "client/conninfo.h"
#include "config/values.h"
#include "doctor/report_json.h"
#include "doctor/report_page.h"
#include "doctor/report_text.h"
#include "doctor/runner.h"
#include "main/control.h"
#include "main/options.h"
#include "main/terminal.h"

namespace trunkline::main {

namespace {

int refuse_usage(const std::string& why) {
  fmt::print(stderr, "trunkline doctor: {}\n", why);
  return exit_usage;
}

/// Shows how far it is; looks for signals, which are blocked, once in each tick.
class companion {
 public:
  companion() = default;
  ~companion() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }
  companion(const companion&) = delete;
  companion& operator=(const companion&) = delete;

  /// False: somebody wants it to end.
  bool look(const doctor::progress& now) {
    if (signals_.look()) return false;
    if (const auto columns = columns_of(STDERR_FILENO)) show(now, *columns);
    return true;
  }

 private:
  void show(const doctor::progress& now, std::size_t columns) {
    std::string text = fmt::format("{}/{} {}{}{}", now.done + 1, now.total, now.label,
                                   now.label.empty() ? "" : ": ", now.title);
    if (now.findings > 0) text = fmt::format("[{} found] ", now.findings) + text;
    fmt::print(stderr, "\r\x1b[K{}", text.substr(0, std::max<std::size_t>(columns, 2) - 1));
    std::fflush(stderr);
    shown_ = true;
  }

  const end_signals signals_;
  bool shown_ = false;
};

bool write_page(const std::string& file, const doctor::report& of) {
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << doctor::render_page(of);
  out.close();
  if (out.fail()) fmt::print(stderr, "trunkline doctor: {} cannot be written\n", file);
  return !out.fail();
}

int tell(const doctor_options& options, const doctor::report& of) {
  const auto columns = columns_of(STDOUT_FILENO);
  const std::string text =
      options.output == "json"
          ? doctor::render_json(of)
          : doctor::render_text(of, std::max(columns.value_or(usual_columns), least_columns),
                                columns.has_value());
  fmt::print("{}", text);
  bool told = std::fflush(stdout) == 0;
  if (!options.page.empty()) told = write_page(options.page, of) && told;
  return told && of.clean() ? exit_good : exit_failure;
}

/// Nothing: it is no duration up to the longest one.
std::optional<std::chrono::seconds> seconds_of_option(const std::string& text) {
  if (text.empty()) return std::chrono::seconds(0);
  const auto read = config::parse_duration(text);
  if (!read || *read < std::chrono::seconds(1) || *read > limits::doctor_idle) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*read);
}

}  // namespace

void add_doctor_command(CLI::App& app, doctor_options& options) {
  auto* command = app.add_subcommand("doctor",
                                     "examines a path to any Postgres from the outside and names what to "
                                     "change; exit 1 where anything is found");
  command
      ->add_option(
          "DSN", options.dsn,
          "as for psql: a connection string or a postgresql:// URL; passwords from PGPASSWORD or a passfile")
      ->required();
  command->add_option("--direct", options.direct,
                      "a DSN of the same server with less between: what differs?");
  command->add_option("--matrix", options.matrix,
                      "further DSNs of the same server: pod, Service, load balancer");
  command->add_option("--only", options.only, "these checks, and what they build on: cancel,prepared")
      ->delimiter(',');
  command->add_option("--idle", options.idle, "how long a silence is tried (370s): which timer forgets?");
  command->add_option("--watch", options.watch,
                      "how long a canary watches, through a rollout or failover (5m)");
  command->add_option("--gateway", options.gateway,
                      "http://host:9630 of a trunkline on the path: what has it seen in production?");
  command->add_option("--output", options.output, "text or json")->check(CLI::IsMember({"text", "json"}));
  command->add_option("--page", options.page, "writes an HTML page to this file too");
}

int run_doctor(const doctor_options& options) {
  doctor::settings how;
  const auto idle = seconds_of_option(options.idle);
  const auto watch = seconds_of_option(options.watch);
  if (!idle || !watch) return refuse_usage("--idle and --watch are durations from 1s to 24h");
  how.idle = *idle;
  how.watch = *watch;
  how.only = options.only;
  how.gateway_url = options.gateway;
  while (how.gateway_url.ends_with('/'))
    how.gateway_url.pop_back();
  for (const auto& each : options.only)
    if (!doctor::is_check(each)) return refuse_usage("--only: there is no check \"" + each + "\"");
  std::vector<std::pair<std::string, std::string>> said{{"DSN", options.dsn}};
  if (!options.direct.empty()) said.emplace_back("--direct", options.direct);
  for (const auto& each : options.matrix)
    said.emplace_back("--matrix", each);
  if (said.size() > limits::doctor_paths)
    return refuse_usage(fmt::format("at most {} paths are compared", limits::doctor_paths));
  std::vector<client::conninfo> targets;
  for (const auto& [option, dsn] : said) {
    auto read =
        client::parse_conninfo(dsn, "trunkline doctor", client::read_environment, client::read_password_file);
    if (!read) return refuse_usage(option + ": " + read.error());
    targets.push_back(std::move(*read));
  }
  prepare_process(signal_habit::own);
  std::optional<companion> beside(std::in_place);
  auto seen = doctor::examine(how, targets, [&](const doctor::progress& now) { return beside->look(now); });
  beside.reset();
  if (!seen) return refuse_usage(seen.error().message);
  const int code = tell(options, *seen);
  // What hangs was left to itself (runtime/apart.h): its threads must not meet what an exit takes down.
  if (seen->interrupted) std::quick_exit(code);
  return code;
}

}  // namespace trunkline::main
