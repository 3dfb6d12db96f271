// One access policy as sessions use it: what it says, and what a session that it lets in is held to. Made by
// `policy_set`, immutable; any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/access.h"
#include "config/time_zone.h"

namespace trunkline::access {

using wall_time = std::chrono::system_clock::time_point;

/// What is kept of a session while it runs. Nothing set: nobody need look at its statements.
struct guard_rules {
  std::uint8_t denied = 0;      ///< bit for each config::statement_class
  bool read_only = false;       ///< it cannot be switched off
  bool role = false;            ///< one is assumed, and cannot be left
  std::uint64_t max_rows = 0;   ///< 0: no bound
  std::uint64_t max_bytes = 0;  ///< the same, of rows and COPY data that the server sends

  bool denies(config::statement_class which) const {
    return (denied >> static_cast<unsigned>(which) & 1U) != 0;
  }
  /// Statements are looked at.
  bool reads_statements() const { return denied != 0 || read_only || role; }
  bool any() const { return reads_statements() || max_rows != 0 || max_bytes != 0; }
  bool operator==(const guard_rules&) const = default;
};

struct policy {
  config::access_policy says;
  guard_rules guard;
  config::time_zone zone;  ///< of its hours

  /// Start-up settings of the server leg: the policy's own, read-only, the role. RESET goes back to them.
  std::vector<std::pair<std::string, std::string>> parameters;

  /// It gives less than it says, or is none of the configuration's: RBAC gives no more.
  bool by_rbac = false;
  /// The same with level read, and write; null: it gives no more than that anyway.
  std::array<std::shared_ptr<const policy>, 2> lower = {};

  /// Whether its hours hold then; without hours always.
  bool open_at(wall_time when) const;
  /// When they are over; nothing: never. Precondition: `open_at(when)`.
  std::optional<wall_time> closes_after(wall_time when) const;
};

/// The same with no more than this level; `of` null: nothing but the level. Null: nothing is held to
/// anything.
const policy* at_most(const policy* of, config::access_level most);

}  // namespace trunkline::access
