// What somebody should see of an upstream's servers beside the log. Plain data.
#pragma once

#include <cstdint>
#include <string>

namespace trunkline::pool {

struct upstream_news {
  enum class event : std::uint8_t {
    endpoint_up,  ///< again
    endpoint_down,
    endpoint_foreign,  ///< it is not what its upstream is
    primary_lost,
    primary_found,  ///< after one was lost, or in the place of another
  };
  event what = event::endpoint_up;
  std::string upstream;
  std::string endpoint = {};  ///< empty where it is about none
  std::string said = {};      ///< why; may be empty
};

}  // namespace trunkline::pool
