// The metrics of all routes as text: the workers' counts of a route are added up. Reads live objects; any
// thread.
#pragma once

#include <span>

#include "telemetry/openmetrics.h"
#include "telemetry/route_metrics.h"

namespace trunkline::telemetry {

/// Every family of sessions, logins and exchanges. Routes appear in the order of their names.
void write_routes(metrics_writer& out, std::span<const route_metrics* const> routes);

}  // namespace trunkline::telemetry
