// What the command line says, as plain values. Filled by cli.cc, read by the commands.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "telemetry/logger.h"

namespace trunkline::main {

/// interfaces of the command line: 0 good, 1 findings or failure, 2 usage or configuration.
inline constexpr int exit_good = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

/// What signals mean: as the command line's help says, or as PgBouncer's manual does.
enum class signal_habit : std::uint8_t { own, pgbouncer };

struct serve_options {
  std::string config_file;
  signal_habit habit = signal_habit::own;
  std::FILE* log_also = nullptr;                 ///< gets each line of the log too
  std::function<result<>()> before_reload = {};  ///< what goes wrong is logged
  telemetry::log_format format = telemetry::log_format::text;
  telemetry::log_level level = telemetry::log_level::info;
};

struct demo_options {
  std::optional<std::uint16_t> port;  ///< none: 6432, or a free one where that is taken
  bool keep = false;                  ///< leave the folder behind
  telemetry::log_format format = telemetry::log_format::text;
  telemetry::log_level level = telemetry::log_level::info;
};

}  // namespace trunkline::main
