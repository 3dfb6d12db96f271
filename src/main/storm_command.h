// `trunkline storm DSN`: puts a path under load, shows how far it is, and reports. Options are plain values,
// filled by the command line. Main thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace trunkline::main {

/// As they were typed; empty: what storm/settings.h says.
struct storm_options {
  std::string dsn;
  std::string compare;  ///< a second DSN
  std::size_t clients = 0;
  std::string duration, late, timeout, idle;
  std::string profile = "steady";
  std::string workloads;
  std::string bulk, read_rate, memory;
  double rate = 0;
  double login_rate = 0;
  std::uint32_t rows = 0;
  std::uint64_t seed = 0;
  bool short_lived = false;
  std::string output = "text";
  std::string chart;  ///< a file: .svg, or else HTML
};

/// Adds the command; `options` must outlive the parsing.
void add_storm_command(CLI::App& app, storm_options& options);
/// 0: nothing was found; 1: findings, or nothing could be tested; 2: usage.
int run_storm(const storm_options& options);

}  // namespace trunkline::main
