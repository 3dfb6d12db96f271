// What went wrong, counted by kind and place, with the worst examples of each. Bounded: kinds beyond the
// limit are counted together. Owner: one loop thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "storm/fault.h"
#include "storm/workload.h"

namespace trunkline::storm {

using microseconds = std::chrono::microseconds;

/// One time that something went wrong.
struct finding {
  problem what;
  workload during = workload::query;
  microseconds at{0};       ///< since the path's run began
  microseconds took{0};     ///< in that stage, up to the problem
  microseconds silence{0};  ///< before, on that connection; 0: it had just been used
  std::uint32_t client = 0;
  std::uint32_t session = 0;
  std::uint16_t local_port = 0;  ///< 0: there was no connection, or it is a unix socket
};

/// All of one kind at one place.
struct finding_group {
  fault what = fault::out_of_protocol;
  stage where = stage::query;
  std::string code;  ///< SQLSTATE; empty: none was told
  std::uint64_t count = 0;
  std::array<std::uint64_t, workload_count> by_workload{};
  microseconds first{0};
  microseconds last{0};
  std::vector<finding> worst;  ///< those that took longest, longest first
};

class finding_book {
 public:
  void add(finding what);
  std::uint64_t total() const { return total_; }
  /// Those of kinds that found no room.
  std::uint64_t beyond() const { return beyond_; }
  /// Wrong answers first, then missing, refused and late ones; the most frequent first within each.
  std::vector<finding_group> groups() const;

 private:
  std::vector<finding_group> groups_;
  std::uint64_t total_ = 0;
  std::uint64_t beyond_ = 0;
};

}  // namespace trunkline::storm
