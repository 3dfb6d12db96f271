#include "main/check.h"

#include <fmt/format.h>

#include <cstdio>

#include "main/options.h"

namespace trunkline::main {

void print_findings(const config::loaded& from) {
  for (const auto& one : from.problems)
    fmt::print(stderr, "{}\n", one.render());
  for (const auto& one : from.warnings)
    fmt::print(stderr, "warning: {}\n", one.render());
}

int check(const std::string& config_file) {
  const auto loaded = config::load_file(config_file);
  print_findings(loaded);
  if (!loaded.value) return exit_usage;
  fmt::print("{}", config::render_yaml(*loaded.value));
  return std::fflush(stdout) == 0 ? exit_good : exit_failure;
}

}  // namespace trunkline::main
