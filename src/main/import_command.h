// `trunkline import pgbouncer FILE`: the YAML to standard output, what has no equal to standard error.
#pragma once

#include "main/options.h"
#include "main/pgbouncer_source.h"

namespace trunkline::main {

/// 0: all of it was carried over; 1: something has no equal, which is told; 2: it cannot be read.
int import_pgbouncer(const ini_place& from);

}  // namespace trunkline::main
