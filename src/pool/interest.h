// Whoever waits for a server asks with this, each time it wakes, whether that still makes sense: the watch
// may have found the server to be down meanwhile. Owner: the coroutine that waits; any thread.
#pragma once

#include "pool/cluster.h"

namespace trunkline::pool {

struct interest {
  const cluster* of = nullptr;  ///< null: always
  routing::endpoint_id endpoint = 0;

  bool is_lost() const {
    return of != nullptr && check([](const routing::endpoint& its) {
             return its.state == routing::endpoint_state::down || its.closed || its.leaving;
           });
  }
  /// By PAUSE or SWITCHOVER: no fault of the server's, and no reason not to come back.
  bool is_closed() const {
    return of != nullptr && check([](const routing::endpoint& its) { return its.closed; });
  }

 private:
  template <class Test>
  bool check(Test test) const {
    const auto seen = of->now();
    for (const auto& each : seen->known.endpoints) {
      if (each.id == endpoint) return test(each);
    }
    return true;
  }
};

}  // namespace trunkline::pool
