// `trunkline demo`: a throwaway Postgres (found on this machine) behind a gateway with TLS, in a folder of
// its own that goes when the command ends, however it ends. One process for the server, one for the gateway,
// and this one.
#pragma once

#include "main/options.h"

namespace trunkline::main {

/// Runs until SIGINT or SIGTERM, or until one of the two processes ends. Exit code as in options.h.
int demo(const demo_options& options);

}  // namespace trunkline::main
