// How long the first byte of an answer usually takes on a path where a session has its server connection
// already: in an open transaction. What a statement outside of one takes beyond that, a pooler made it wait
// for a connection. Memory of the last seconds only, so that a server that becomes slow is not taken for a
// pool that is empty. Pure; one owner.
#pragma once

#include <chrono>
#include <cstddef>

#include "storm/hdr_histogram.h"

namespace trunkline::storm {

class usual_wait {
 public:
  using microseconds = std::chrono::microseconds;

  /// Inside a transaction it took so long. `now`: since any beginning.
  void inside(microseconds took, microseconds now);
  /// How much of what it took outside of one was a wait for a connection: whatever is beyond the median,
  /// where it took longer than 99 of 100 inside did. 0: none, or none that can be told from outside.
  microseconds beyond(microseconds took) const;
  /// It has been known at some time.
  bool was_known() const { return was_known_; }

 private:
  void look();

  hdr_histogram before_;
  hdr_histogram recent_;
  microseconds turned_{0};
  std::size_t unseen_ = 0;  // since the last look
  microseconds median_{0};
  microseconds most_{microseconds::max()};
  bool was_known_ = false;
};

}  // namespace trunkline::storm
