#include "routing/choose.h"

#include <algorithm>

namespace trunkline::routing {

using config::route_target;

namespace {

/// How well an endpoint fits; each level is only looked at where the one before is empty.
enum class rank : std::uint8_t { near, far, resting, no };
constexpr std::size_t ranks = 3;

bool is_fresh(const topology& seen, const endpoint& one, moment now) {
  if (seen.most_lag.count() == 0 || one.role != server_role::replica) return true;
  return one.fresh_as_of && now - *one.fresh_as_of <= seen.most_lag;
}

bool may_take(const topology& seen, const endpoint& one, route_target target, moment now) {
  if (one.leaving || one.closed || !one.resolved || one.state == endpoint_state::down ||
      one.state == endpoint_state::foreign || one.state == endpoint_state::self ||
      (seen.probed && one.state == endpoint_state::unknown))
    return false;
  return serves(one, target) && is_fresh(seen, one, now);
}

rank rank_of(const endpoint& one, const endpoint_load& load, const wish& wanted) {
  if (load.tried) return rank::no;
  if (load.ejected_until > wanted.now || !one.ready) return rank::resting;
  return wanted.zone.empty() || one.zone == wanted.zone ? rank::near : rank::far;
}

/// From a tenth to the whole, over the slow start.
double weight_of(const topology& seen, const endpoint& one, moment now) {
  constexpr double least = 0.1;
  if (seen.slow_start.count() == 0) return 1;
  const double part =
      std::chrono::duration<double>(now - one.up_since) / std::chrono::duration<double>(seen.slow_start);
  return std::clamp(part, least, 1.0);
}

class draw {
 public:
  draw(const topology& seen, std::span<const endpoint_load> loads, const wish& wanted, route_target target)
      : seen_(seen), loads_(loads), wanted_(wanted), target_(target) {
    if (target != route_target::primary) return;
    primary_known_ = knows_primary();
    // A guess at who it is begins where the operator began.
    in_order_ = !primary_known_;
  }

  std::optional<std::size_t> best() const {
    std::array<std::uint32_t, ranks> counts{};
    for (std::size_t i = 0; i < seen_.endpoints.size(); ++i) {
      if (const rank its = rank_at(i); its != rank::no) ++counts[static_cast<std::size_t>(its)];
    }
    for (std::size_t level = 0; level < ranks; ++level) {
      if (counts[level] == 0) continue;
      const auto its = static_cast<rank>(level);
      return in_order_ ? nth(its, 0) : better_of_two(its, counts[level]);
    }
    return std::nullopt;
  }

 private:
  bool knows_primary() const {
    for (std::size_t i = 0; i < seen_.endpoints.size(); ++i) {
      if (seen_.endpoints[i].role == server_role::primary && rank_at(i) != rank::no) return true;
    }
    return false;
  }
  rank rank_at(std::size_t index) const {
    const endpoint& one = seen_.endpoints[index];
    // Where the primary is known nobody else is asked.
    if (primary_known_ && one.role != server_role::primary) return rank::no;
    return may_take(seen_, one, target_, wanted_.now) ? rank_of(one, loads_[index], wanted_) : rank::no;
  }
  std::size_t nth(rank level, std::uint32_t n) const {
    std::size_t at = 0;
    for (;; ++at) {
      if (rank_at(at) == level && n-- == 0) return at;
    }
  }
  double load_of(std::size_t index) const {
    return (loads_[index].sessions + 1.0) / weight_of(seen_, seen_.endpoints[index], wanted_.now);
  }
  std::size_t better_of_two(rank level, std::uint32_t count) const {
    const std::uint32_t first = wanted_.random[0] % count;
    if (count == 1) return nth(level, first);
    // Another one than the first, all the same likely.
    const std::uint32_t second = (first + 1 + wanted_.random[1] % (count - 1)) % count;
    const std::size_t a = nth(level, first);
    const std::size_t b = nth(level, second);
    return load_of(b) < load_of(a) ? b : a;
  }

  const topology& seen_;
  std::span<const endpoint_load> loads_;
  const wish& wanted_;
  const route_target target_;
  bool primary_known_ = false;
  bool in_order_ = false;
};

/// Roles that nobody watches are those of the last login: where all of them are against it they may be old.
bool may_be_wrong(const topology& seen) {
  return !seen.roles_are_watched;
}

}  // namespace

bool serves(const endpoint& one, route_target target) {
  switch (target) {
    case route_target::primary:
      return one.role == server_role::primary || one.role == server_role::unknown;
    case route_target::replica:
      return one.role == server_role::replica || one.role == server_role::unknown;
    case route_target::prefer_replica:
    case route_target::any:
      return one.role != server_role::superseded;
  }
  return false;
}

std::optional<std::size_t> choose(const topology& seen, std::span<const endpoint_load> loads,
                                  const wish& wanted) {
  if (wanted.target != route_target::prefer_replica) {
    if (auto found = draw(seen, loads, wanted, wanted.target).best()) return found;
    if (!may_be_wrong(seen)) return std::nullopt;
    return draw(seen, loads, wanted, route_target::any).best();
  }
  if (auto found = draw(seen, loads, wanted, route_target::replica).best()) return found;
  return draw(seen, loads, wanted, route_target::primary).best();
}

}  // namespace trunkline::routing
