// Which server a new session goes to: the better of two that fit, drawn at random, by sessions over weight
// (power of two choices: no herd runs to the one that was emptiest a moment ago). A pure decision; any
// thread; linear in the number of endpoints, no allocation.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "config/settings.h"
#include "routing/topology.h"

namespace trunkline::routing {

/// What changes with every login, beside the topology; by index of its endpoints.
struct endpoint_load {
  std::uint32_t sessions = 0;
  bool tried = false;      ///< by this very login, and failed
  moment ejected_until{};  ///< logins failed there: it rests, as long as there is another
};

struct wish {
  config::route_target target = config::route_target::primary;
  std::string_view zone = {};  ///< the gateway's own; empty: all are the same
  moment now{};
  std::array<std::uint32_t, 2> random{};  ///< any two numbers
};

/// An index of `seen.endpoints`; nothing where none fits that was not tried.
std::optional<std::size_t> choose(const topology& seen, std::span<const endpoint_load> loads,
                                  const wish& wanted);

/// Whether a session that wants `target` may be there, as far as is known.
bool serves(const endpoint& one, config::route_target target);

}  // namespace trunkline::routing
