// `trunkline serve`: builds every object of the gateway, hands it over, and runs until it is told to stop.
#pragma once

#include "main/options.h"

namespace trunkline::main {

/// Exit code as in options.h.
int serve(const serve_options& options);

}  // namespace trunkline::main
