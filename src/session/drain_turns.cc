#include "session/drain_turns.h"

namespace trunkline::session {

std::optional<runtime::time_point> drain_turns::next(std::uint32_t dice) {
  if (given_ == count_) return std::nullopt;
  const double share = (static_cast<double>(given_++) + static_cast<double>(dice) / 4294967296.0) /
                       static_cast<double>(count_);
  const double offset = static_cast<double>(spread_.count()) * share;
  return begin_ + runtime::duration(static_cast<runtime::duration::rep>(offset));
}

}  // namespace trunkline::session
