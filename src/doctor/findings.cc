#include "doctor/findings.h"

#include <algorithm>
#include <utility>

namespace trunkline::doctor {

std::vector<placed_finding> findings_of(const report& of) {
  std::vector<placed_finding> made;
  for (const auto& path : of.paths)
    for (const auto& each : path.checks)
      for (const auto& one : each.said)
        if (one.is == verdict::finding) made.push_back({path.label, each.of, &one});
  for (const auto& one : of.compared)
    if (one.is == verdict::finding) made.push_back({{}, nullptr, &one});
  std::ranges::stable_sort(
      made, {}, [](const placed_finding& each) { return std::pair(each.what->weight, each.what->sure); });
  return made;
}

counts count(const report& of) {
  counts made;
  made.findings = findings_of(of).size();
  for (const auto& path : of.paths) {
    for (const auto& each : path.checks) {
      made.ok += each.worst() == verdict::ok ? 1 : 0;
      made.unknown += each.worst() == verdict::unknown ? 1 : 0;
    }
  }
  return made;
}

}  // namespace trunkline::doctor
