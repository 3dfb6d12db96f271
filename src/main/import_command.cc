#include "main/import_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace trunkline::main {

int import_pgbouncer(const ini_place& from) {
  const auto made = convert_pgbouncer(from);
  if (!made) {
    for (const auto& each : made.error())
      fmt::print(stderr, "{}\n", each.render());
    return exit_usage;
  }
  for (const auto& each : made->notes)
    fmt::print(stderr, "{}\n", each.render());
  for (const auto& [name, secret] : made->secrets)
    fmt::print(stderr, "{}: set this environment variable to the password that the file has\n", name);
  fmt::print("{}", made->yaml);
  if (std::fflush(stdout) != 0) return exit_failure;
  const bool lost = std::any_of(made->notes.begin(), made->notes.end(), [](const pgbouncer::note& each) {
    return each.why == pgbouncer::fate::no_equal;
  });
  return lost ? exit_failure : exit_good;
}

}  // namespace trunkline::main
