#include "main/serve.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "main/control.h"
#include "main/objects_source.h"

namespace trunkline::main {

namespace {

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
    log.write(telemetry::log_level::error, "config", each.render());
  inherited.failed(loaded.problems.empty() ? "" : loaded.problems.front().render());
}

}  // namespace

int serve(const serve_options& options) {
  prepare_process(options.habit);
  auto inherited = inheritance::take();
  if (!inherited) {
    fmt::print(stderr, "{}\n", inherited.error().message);
    return exit_usage;
  }
  process_parts parts(options);
  objects_source source(options.config_file, parts, control_requests::wake);
  auto loaded = source.load(1);
  if (loaded.value == nullptr) {
    tell_problems(loaded, options, *inherited);
    return exit_usage;
  }
  return control(options, parts, source, std::move(loaded), std::move(*inherited)).run();
}

}  // namespace trunkline::main
