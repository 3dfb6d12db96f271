// Whether the lines of a folder are those that were written: each line's number and the hash of the line
// before it, over all segments of a lane, and so for each lane. Finds what was changed, removed, added, moved
// or cut, and segments that are missing. What it cannot see: lines missing at the very end of the newest
// segment while that has no `segment.end`, and a chain that somebody made anew from some line to the end; for
// that, keep a copy of a line's hash elsewhere. Blocking; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/result.h"

namespace trunkline::audit {

struct verify_report {
  struct last_line {
    std::uint64_t seq = 0;
    std::string hash;
  };
  std::uint64_t segments = 0;
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  std::uint64_t findings = 0;
  std::uint64_t gaps = 0;  ///< `gap` events, and the events that they count as lost
  std::uint64_t lost_events = 0;
  std::uint64_t recovered = 0;  ///< segments behind an end without a word
  std::map<unsigned, last_line> lanes;
};

struct verify_finding {
  bool wrong = true;  ///< false: a note, the chain holds
  std::string segment;
  std::uint64_t line = 0;  ///< from 1; 0: the file as a whole
  std::string what;
};

/// `removed_before`: the oldest segments may have been removed, as retention does.
result<verify_report> verify(const std::string& folder, bool removed_before,
                             const std::function<void(const verify_finding&)>& tell);

}  // namespace trunkline::audit
