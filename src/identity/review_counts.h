// What API servers have said of who may connect, of all of a process. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace trunkline::identity {

struct review_counts {
  std::atomic<std::uint64_t> allowed{0};
  std::atomic<std::uint64_t> denied{0};
  std::atomic<std::uint64_t> failed{0};  ///< it could not be asked, or its answer was none
};

}  // namespace trunkline::identity
