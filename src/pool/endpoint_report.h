// What asking one endpoint has brought. Value type.
#pragma once

#include <optional>
#include <string>

#include "pool/health_query.h"
#include "routing/topology.h"

namespace trunkline::pool {

struct endpoint_report {
  routing::endpoint_state state = routing::endpoint_state::unknown;
  std::optional<health_answer> answer;  ///< kept while the endpoint is down: its last
  routing::moment asked{};              ///< when `answer` came
  std::string said;                     ///< its last complaint, or what cannot be known
};

}  // namespace trunkline::pool
