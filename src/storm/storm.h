// A storm from beginning to end: probes each path, puts it under load, and says what was seen. It runs a
// loop on the calling thread until it is over.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "client/conninfo.h"
#include "storm/path.h"
#include "storm/settings.h"
#include "storm/tally.h"

namespace trunkline::storm {

/// What was seen of one path.
struct path_report {
  path_report(std::string name, conninfo where, std::chrono::milliseconds duration)
      : label(std::move(name)), dsn(std::move(where)), said(duration) {}

  std::string label;  ///< "A" or "B"
  conninfo dsn;
  tally said;
  std::optional<problem> failure;  ///< nothing could be tested
};

struct report {
  settings how;
  std::vector<std::unique_ptr<path_report>> paths;
  std::chrono::system_clock::time_point began{};
  bool interrupted = false;
  bool held_by_memory = false;
  double busy = 0;  ///< the share of the time in which this process's own loop worked, 0 to 1

  std::uint64_t findings() const;
  bool failed() const;
  bool clean() const { return !failed() && findings() == 0; }
};

/// How far it has come; for the progress line.
struct progress {
  std::string label;  ///< empty where there is one path
  bool probing = false;
  double elapsed = 0;  ///< seconds, of all paths together
  double total = 0;
  std::size_t clients = 0;
  std::size_t most_clients = 0;
  double answers_per_second = 0;  ///< since the last time
  std::chrono::microseconds p50{0};
  std::chrono::microseconds p99{0};
  std::uint64_t findings = 0;
};

/// What the caller wants, after each look: go on, finish soon, or end at once.
enum class wish : std::uint8_t { go_on, finish, end };
/// Called on the same thread, each limits::storm_tick.
using watcher = std::function<wish(const progress&)>;

/// `dsns` has one or two. Errors: the files that a DSN names cannot be used, or this process has no
/// descriptors for a loop.
result<report> run(const settings& how, std::vector<conninfo> dsns, const watcher& watch);

}  // namespace trunkline::storm
