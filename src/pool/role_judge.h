// What the reports of all endpoints together say of each: who is the primary, who was left behind, who does
// not belong, how far each replica is behind. One per upstream; pure but for what it remembers. Owner:
// cluster_watch.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pool/endpoint_report.h"
#include "routing/topology.h"

namespace trunkline::pool {

class role_judge {
 public:
  /// Fills in state, role, lag and all that the reports tell; `endpoints` and `reports` go together. Returns
  /// what an operator must know: two primaries. Empty: nothing.
  std::string judge(std::span<routing::endpoint> endpoints, std::span<const endpoint_report> reports);
  /// What was seen before is forgotten: an old timeline may be the right one again.
  void forget();

 private:
  struct position {
    routing::moment when;
    std::uint64_t bytes;
  };

  void judge_identity(std::span<routing::endpoint> endpoints);
  std::string judge_primaries(std::span<routing::endpoint> endpoints,
                              std::span<const endpoint_report> reports);
  void remember(const routing::endpoint& primary);
  void judge_lag(routing::endpoint& replica, const endpoint_report& report,
                 const routing::endpoint* primary) const;

  std::uint64_t system_identifier_ = 0;  // of the cluster; 0: not known yet
  bool identity_settled_ = false;        // everybody had been asked when it was decided
  std::uint32_t timeline_ = 0;           // the highest that a primary was seen on
  std::uint32_t primary_ = 0;            // the endpoint that was the primary last
  std::deque<position> positions_;       // of the primary, ascending
};

}  // namespace trunkline::pool
