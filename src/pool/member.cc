#include "pool/member.h"

#include <algorithm>

#include "base/limits.h"

namespace trunkline::pool {

bool member::failed(routing::moment now, double jitter) {
  std::lock_guard lock(mutex_);
  if (++failures_ < limits::failures_until_ejection) return false;
  failures_ = 0;
  const int doublings = std::min(ejections_++, 16);
  const auto rest = std::min(limits::ejection * (1 << doublings), limits::ejection_most);
  // Several gateways do not come back in the same moment.
  ejected_until_ = now + std::chrono::duration_cast<routing::moment::duration>(rest * (0.75 + jitter / 2));
  return true;
}

}  // namespace trunkline::pool
