// The findings of a report in one row, the worst first. Pure; any thread.
#pragma once

#include <string_view>
#include <vector>

#include "doctor/runner.h"

namespace trunkline::doctor {

struct placed_finding {
  std::string_view path;      ///< its label; empty: it is about all of them
  const check* of = nullptr;  ///< null: it comes from comparing the paths
  const judgement* what = nullptr;
};

/// Pointers into the report.
std::vector<placed_finding> findings_of(const report& of);

struct counts {
  std::size_t ok = 0;
  std::size_t findings = 0;  ///< judgements, not checks
  std::size_t unknown = 0;
};
counts count(const report& of);

}  // namespace trunkline::doctor
