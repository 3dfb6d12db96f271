// The part of /metrics that is of pools of shared server connections. Any thread.
#pragma once

#include "session/observer.h"
#include "telemetry/openmetrics.h"

namespace trunkline::admin {

void write_pools(telemetry::metrics_writer& out, session::observer& seen);

}  // namespace trunkline::admin
