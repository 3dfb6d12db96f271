// What a trunkline on the path has counted in production, read from its metrics. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "doctor/verdict.h"

namespace trunkline::doctor {

struct gateway_counts {
  std::map<std::string, std::uint64_t> closes;  ///< sessions by the cause of their end (docs/close-causes.md)
  std::map<std::string, std::uint64_t> retransmits;  ///< TCP segments by leg
  std::map<std::string, double> phases;              ///< seconds of all exchanges, by where they went
};

/// Lines that say something else, or nothing sensible, are passed over.
gateway_counts read_metrics(std::string_view text);

/// The gateway stands between two legs, so a death on one of them is isolated.
judgements judge_gateway(const gateway_counts& seen);

}  // namespace trunkline::doctor
