#include "main/cli.h"

#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "config/crds.h"
#include "config/reference.h"
#include "main/access_command.h"
#include "main/audit_command.h"
#include "main/check.h"
#include "main/demo.h"
#include "main/doctor_command.h"
#include "main/import_command.h"
#include "main/options.h"
#include "main/pgbouncer_command.h"
#include "main/request_command.h"
#include "main/scram_keys_command.h"
#include "main/serve.h"
#include "main/storm_command.h"
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

/// A link named `pgbouncer` to the binary is that command, for scripts that call it.
std::vector<const char*> with_command(int argc, const char* const* argv) {
  std::vector<const char*> words(argv, argv + argc);
  const std::string_view program = argc > 0 ? argv[0] : "";
  if (program.substr(program.rfind('/') + 1) == "pgbouncer") words.insert(words.begin() + 1, "pgbouncer");
  return words;
}

void add_pgbouncer_commands(CLI::App& app, pgbouncer_options& options) {
  auto* import_command = app.add_subcommand("import", "another proxy's configuration as one of Trunkline");
  import_command->require_subcommand(1);
  constexpr const char* key_help = "a secret that this gateway and its peers share, at least 32 random bytes";
  auto* importing = import_command->add_subcommand(
      "pgbouncer", "pgbouncer.ini and its auth_file to YAML; names what has no equal");
  importing->add_option("FILE", options.from.file, "the pgbouncer.ini")->required();
  importing->add_option("--replica-key", options.from.replica_key, key_help);
  auto* command = app.add_subcommand(
      "pgbouncer", "runs from a pgbouncer.ini, with PgBouncer's options, signals and console");
  command->add_option("FILE", options.from.file, "the pgbouncer.ini");
  command->add_option("--replica-key", options.from.replica_key, key_help);
  command->add_flag("-d,--daemon", options.daemon, "run in background (as a daemon)");
  command->add_flag("-q,--quiet", options.quiet, "do not log to standard error");
  command->add_flag("-R,--reboot", options.reboot, "not supported");
  command->add_option("-u,--user", options.user, "assume identity of this user");
  command->add_flag("-v,--verbose", options.verbose, "increase verbosity");
  command->add_flag("-V,--version", options.version, "show version, then exit");
}

/// What was said behind each command.
struct command_words {
  serve_options serving;
  demo_options showing;
  audit_options auditing;
  pgbouncer_options bouncing;
  access_options explaining;
  request_options asking;
  storm_options storming;
  doctor_options examining;
  std::string verifier;
};

/// The libraries on the road may still be told to allocate; what leaves here is a defect and ends with its
/// text.
int run_guarded(const CLI::App& app, const command_words& said) {
  try {
    if (app.got_subcommand("serve")) return serve(said.serving);
    if (app.got_subcommand("check")) return check(said.serving.config_file);
    if (app.got_subcommand("audit")) return run_audit(app, said.auditing);
    if (app.got_subcommand("access")) {
      const bool explains = app.get_subcommand("access")->got_subcommand("explain");
      return explains ? run_access(said.explaining) : run_request(app, said.asking);
    }
    if (app.got_subcommand("import")) return import_pgbouncer(said.bouncing.from);
    if (app.got_subcommand("pgbouncer")) return run_pgbouncer(said.bouncing);
    if (app.got_subcommand("storm")) return run_storm(said.storming);
    if (app.got_subcommand("doctor")) return run_doctor(said.examining);
    if (app.got_subcommand("demo")) return demo(said.showing);
    if (app.got_subcommand("scram-keys")) return print_scram_keys(said.verifier);
    if (app.got_subcommand("crds")) {
      fmt::print("{}", config::render_crds());
      return std::fflush(stdout) == 0 ? exit_good : exit_failure;
    }
    fmt::print("{}", app.got_subcommand("reference") ? config::render_reference() : version_text());
    return std::fflush(stdout) == 0 ? exit_good : exit_failure;
  } catch (const std::exception& unexpected) {
    fmt::print(stderr, "trunkline: {}\n", unexpected.what());
    return exit_failure;
  }
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  command_words said;
  std::string format;
  std::string level;
  std::uint16_t port = 0;

  CLI::App app{"Trunkline: a Postgres-aware gateway", "trunkline"};
  app.require_subcommand(1);
  auto* serve_command = app.add_subcommand(
      "serve",
      "runs the gateway: SIGHUP reloads, SIGTERM drains, SIGINT stops, SIGUSR2 hands over to a new binary");
  serve_command->add_option("-c,--config", said.serving.config_file, "the configuration, YAML")->required();
  add_log_options(*serve_command, said.serving, format, level);
  auto* check_command = app.add_subcommand("check", "validates a configuration and prints what it comes to");
  check_command->add_option("-c,--config", said.serving.config_file, "the configuration, YAML")->required();
  auto* demo_command =
      app.add_subcommand("demo", "a throwaway Postgres behind a gateway with TLS; Ctrl-C removes it");
  auto* port_option = demo_command->add_option("--port", port, "of the gateway (6432, or a free one)")
                          ->check(CLI::Range(1, 65535));
  demo_command->add_flag("--keep", said.showing.keep, "leave the folder with the data behind");
  add_log_options(*demo_command, said.serving, format, level);
  add_audit_command(app, said.auditing);
  add_access_command(app, said.explaining);
  add_request_commands(*app.get_subcommand("access"), said.asking);
  add_pgbouncer_commands(app, said.bouncing);
  add_scram_keys_command(app, said.verifier);
  add_doctor_command(app, said.examining);
  add_storm_command(app, said.storming);
  app.add_subcommand("version", "version, build and libraries");
  app.add_subcommand("crds", "the CustomResourceDefinitions of the objects that are configuration, YAML");
  app.add_subcommand("reference", "the tables of docs/configuration.md")->group("");

  const auto words = with_command(argc, argv);
  try {
    app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& wrong) {
    const bool asked_for_help = wrong.get_exit_code() == 0;
    app.exit(wrong, asked_for_help ? std::cout : std::cerr, std::cerr);
    return asked_for_help ? exit_good : exit_usage;
  }
  if (port_option->count() > 0) said.showing.port = port;
  said.showing.format = said.serving.format;
  said.showing.level = said.serving.level;
  return run_guarded(app, said);
}

}  // namespace trunkline::main
