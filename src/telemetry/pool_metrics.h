// What one worker counts for all pools of one upstream (interfaces.md, "Metrics"). Written by that worker's
// loop thread only, read by any thread; kept until the process ends, also when the pools are forgotten, so
// that no counter ever goes back.
#pragma once

#include <string>

#include "telemetry/histogram.h"

namespace trunkline::telemetry {

struct pool_metrics {
  std::string upstream;
  /// Of clients that found no server connection and got in line, however their wait ended.
  latency_histogram wait_seconds;
};

}  // namespace trunkline::telemetry
