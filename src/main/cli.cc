#include "main/cli.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "config/reference.h"
#include "main/audit_command.h"
#include "main/check.h"
#include "main/demo.h"
#include "main/options.h"
#include "main/serve.h"
#include "main/version.h"

namespace trunkline::main {

namespace {

const std::map<std::string, telemetry::log_format> log_formats{{"text", telemetry::log_format::text},
                                                               {"json", telemetry::log_format::json}};
const std::map<std::string, telemetry::log_level> log_levels{{"debug", telemetry::log_level::debug},
                                                             {"info", telemetry::log_level::info},
                                                             {"warn", telemetry::log_level::warning},
                                                             {"warning", telemetry::log_level::warning},
                                                             {"error", telemetry::log_level::error}};

void add_log_options(CLI::App& to, serve_options& options, std::string& format, std::string& level) {
  to.add_option("--log-format", format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->each([&options](const std::string& word) { options.format = log_formats.at(word); });
  to.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "warning", "error"}))
      ->each([&options](const std::string& word) { options.level = log_levels.at(word); });
}

/// The libraries on the road may still be told to allocate; what leaves here is a defect and ends with its
/// text.
int run_guarded(const CLI::App& app, const serve_options& serving, const demo_options& showing,
                const audit_options& auditing) {
  try {
    if (app.got_subcommand("serve")) return serve(serving);
    if (app.got_subcommand("check")) return check(serving.config_file);
    if (app.got_subcommand("audit")) return run_audit(app, auditing);
    if (app.got_subcommand("demo")) return demo(showing);
    fmt::print("{}", app.got_subcommand("reference") ? config::render_reference() : version_text());
    return std::fflush(stdout) == 0 ? exit_good : exit_failure;
  } catch (const std::exception& unexpected) {
    fmt::print(stderr, "trunkline: {}\n", unexpected.what());
    return exit_failure;
  }
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  serve_options serving;
  demo_options showing;
  audit_options auditing;
  std::string format;
  std::string level;
  std::uint16_t port = 0;

  CLI::App app{"Trunkline: a Postgres-aware gateway", "trunkline"};
  app.require_subcommand(1);
  auto* serve_command = app.add_subcommand(
      "serve",
      "runs the gateway: SIGHUP reloads, SIGTERM drains, SIGINT stops, SIGUSR2 hands over to a new binary");
  serve_command->add_option("-c,--config", serving.config_file, "the configuration, YAML")->required();
  add_log_options(*serve_command, serving, format, level);
  auto* check_command = app.add_subcommand("check", "validates a configuration and prints what it comes to");
  check_command->add_option("-c,--config", serving.config_file, "the configuration, YAML")->required();
  auto* demo_command =
      app.add_subcommand("demo", "a throwaway Postgres behind a gateway with TLS; Ctrl-C removes it");
  auto* port_option = demo_command->add_option("--port", port, "of the gateway (6432, or a free one)")
                          ->check(CLI::Range(1, 65535));
  demo_command->add_flag("--keep", showing.keep, "leave the folder with the data behind");
  add_log_options(*demo_command, serving, format, level);
  add_audit_command(app, auditing);
  app.add_subcommand("version", "version, build and libraries");
  app.add_subcommand("reference", "the tables of docs/configuration.md")->group("");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {
    const bool asked_for_help = wrong.get_exit_code() == 0;
    app.exit(wrong, asked_for_help ? std::cout : std::cerr, std::cerr);
    return asked_for_help ? exit_good : exit_usage;
  }
  if (port_option->count() > 0) showing.port = port;
  showing.format = serving.format;
  showing.level = serving.level;
  return run_guarded(app, serving, showing, auditing);
}

}  // namespace trunkline::main
