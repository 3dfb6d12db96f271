// One examination from beginning to end: a loop on the calling thread, each check in its turn, on each path.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/conninfo.h"
#include "doctor/check.h"
#include "doctor/examination.h"
#include "doctor/verdict.h"

namespace trunkline::doctor {

/// What became of one check.
struct check_result {
  const check* of = nullptr;
  judgements said;
  std::chrono::milliseconds took{0};

  verdict worst() const { return worst_of(said); }
};

struct path_result {
  std::string label;   ///< "A", "B", ...
  std::string target;  ///< the DSN without its secret
  facts known;
  std::vector<check_result> checks;
};

struct report {
  std::chrono::system_clock::time_point began{};
  std::chrono::milliseconds took{0};
  bool interrupted = false;
  std::vector<path_result> paths;
  judgements compared;  ///< what differs between the paths

  bool clean() const;
};

/// How far it is.
struct progress {
  std::string label;  ///< empty where there is one path
  std::string_view title;
  std::size_t done = 0;
  std::size_t total = 0;
  std::size_t findings = 0;
};

/// Called on the same thread, each limits::doctor_tick. False: end now, with what is known.
using watcher = std::function<bool(const progress&)>;

/// `dsns` has at least one. Errors: the files that a DSN names cannot be used, or this process has no
/// descriptors for a loop.
result<report> examine(const settings& how, const std::vector<client::conninfo>& dsns, const watcher& watch);

}  // namespace trunkline::doctor
