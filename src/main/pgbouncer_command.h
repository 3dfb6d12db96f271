// `trunkline pgbouncer [-d] [-q] [-v] [-u USER] FILE.ini`: a gateway that starts, takes signals and ends as
// PgBouncer does, from its own configuration.
#pragma once

#include <string>

#include "main/options.h"
#include "main/pgbouncer_source.h"

namespace trunkline::main {

struct pgbouncer_options {
  ini_place from;
  bool daemon = false;
  bool quiet = false;
  bool reboot = false;
  bool version = false;
  int verbose = 0;
  std::string user;
  telemetry::log_format format = telemetry::log_format::text;
};

/// Exit code as in options.h.
int run_pgbouncer(const pgbouncer_options& options);

}  // namespace trunkline::main
