// Whoever waits for a server asks with this, each time it wakes, whether that still makes sense: the watch
// may have found the server to be down meanwhile. Owner: the coroutine that waits; any thread.
#pragma once

#include "pool/cluster.h"

namespace trunkline::pool {

struct interest {
  const cluster* of = nullptr;  ///< null: always
  routing::endpoint_id endpoint = 0;

  bool is_lost() const {
    if (of == nullptr) return false;
    const auto seen = of->now();
    for (const auto& each : seen->known.endpoints) {
      if (each.id == endpoint)
        return each.state == routing::endpoint_state::down || each.closed || each.leaving;
    }
    return true;
  }
};

}  // namespace trunkline::pool
