#include "storm/progress_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "storm/figures.h"

namespace trunkline::storm {

std::string progress_line(const progress& now, std::size_t columns) {
  std::string line = fmt::format("{:.0f}/{:.0f}s", now.elapsed, now.total);
  if (!now.label.empty()) line = now.label + " " + line;
  if (now.probing) return (line + " looking at the path").substr(0, columns);
  // In the order of their worth.
  const std::vector<std::string> parts{fmt::format("{} findings", now.findings),
                                       fmt::format("p99 {}", short_duration(now.p99)),
                                       fmt::format("{}/s", short_count(now.answers_per_second)),
                                       fmt::format("{}/{} clients", now.clients, now.most_clients),
                                       fmt::format("p50 {}", short_duration(now.p50))};
  for (const auto& each : parts) {
    if (line.size() + 2 + each.size() > columns) break;
    line += "  " + each;
  }
  return line.substr(0, columns);
}

}  // namespace trunkline::storm
