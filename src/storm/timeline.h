// Latency, throughput and findings over time, for the chart. Its points are so far apart that a run has a
// bounded number of them. Owner: one loop thread.
#pragma once

#include <cstdint>
#include <vector>

#include "storm/hdr_histogram.h"

namespace trunkline::storm {

struct timeline_point {
  double seconds = 0;  ///< of its end, since the path's run began
  double length = 0;   ///< seconds that it covers
  std::uint64_t answers = 0;
  std::uint64_t logins = 0;
  std::uint64_t findings = 0;
  std::size_t clients = 0;
  hdr_histogram::microseconds p50{0};
  hdr_histogram::microseconds p99{0};
  hdr_histogram::microseconds largest{0};
};

class timeline {
 public:
  /// `total`: how long the run is to be.
  explicit timeline(std::chrono::milliseconds total);

  void answered(hdr_histogram::microseconds took) { now_.record(took); }
  void logged_in() { ++logins_; }
  void found() { ++findings_; }
  /// A point is made where it is time for one, or at the end where anything is left.
  void tick(std::chrono::microseconds elapsed, std::size_t clients, bool at_end = false);
  const std::vector<timeline_point>& points() const { return points_; }
  /// Of the last look.
  std::chrono::microseconds elapsed() const { return elapsed_; }
  /// Of the point that is being made.
  const hdr_histogram& current() const { return now_; }

 private:
  std::chrono::microseconds step_;
  std::chrono::microseconds began_{0};
  std::chrono::microseconds elapsed_{0};
  hdr_histogram now_;
  std::uint64_t logins_ = 0;
  std::uint64_t findings_ = 0;
  std::vector<timeline_point> points_;
};

}  // namespace trunkline::storm
