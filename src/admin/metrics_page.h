// /metrics: everything that the observer shows, as Prometheus reads it (docs/metrics.md). Any thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "session/objects_view.h"
#include "session/observer.h"
#include "telemetry/openmetrics.h"

namespace trunkline::admin {

struct metrics_moment {
  std::chrono::steady_clock::time_point now;
  std::chrono::system_clock::time_point date;
  std::vector<double> busy;  ///< of each worker (busy_window.h)
  std::string_view version;
  session::objects_view objects = {};
};

std::string metrics_page(session::observer& seen, const metrics_moment& at, telemetry::metrics_format format);

}  // namespace trunkline::admin
