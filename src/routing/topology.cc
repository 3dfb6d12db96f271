#include "routing/topology.h"

#include <fmt/format.h>

#include <algorithm>

namespace trunkline::routing {

const endpoint* topology::primary() const {
  for (const endpoint& each : endpoints) {
    const bool there = each.state == endpoint_state::up || (!probed && each.state == endpoint_state::unknown);
    if (each.role == server_role::primary && there && !each.leaving) return &each;
  }
  return nullptr;
}

bool topology::settled() const {
  return !discovering && std::none_of(endpoints.begin(), endpoints.end(), [&](const endpoint& each) {
    return !each.leaving && (!each.resolved || (probed && each.state == endpoint_state::unknown));
  });
}

const char* name_of(endpoint_state state) {
  switch (state) {
    case endpoint_state::unknown:
      return "unknown";
    case endpoint_state::up:
      return "up";
    case endpoint_state::down:
      return "down";
    case endpoint_state::foreign:
      return "foreign";
    case endpoint_state::self:
      return "self";
  }
  return "?";
}

const char* name_of(server_role role) {
  switch (role) {
    case server_role::unknown:
      return "unknown";
    case server_role::primary:
      return "primary";
    case server_role::replica:
      return "replica";
    case server_role::superseded:
      return "superseded";
  }
  return "?";
}

namespace {

std::string describe(const endpoint& one, moment now) {
  std::string text = one.name + " is ";
  if (one.leaving) return text + "leaving";
  switch (one.state) {
    case endpoint_state::down:
      text += fmt::format("down for {:.1f} s", std::chrono::duration<double>(now - one.since).count());
      break;
    case endpoint_state::foreign:
      text += "another cluster's";
      break;
    case endpoint_state::self:
      text += "this gateway itself";
      break;
    default:
      text += one.role == server_role::unknown      ? "of unknown role"
              : one.role == server_role::superseded ? "a primary that was left behind"
                                                    : std::string("a ") + name_of(one.role);
  }
  if (one.lag && one.state == endpoint_state::up)
    text += fmt::format(", {:.1f} s behind", std::chrono::duration<double>(*one.lag).count());
  return one.said.empty() ? text : text + " (" + one.said + ")";
}

}  // namespace

std::string describe(const topology& seen, moment now) {
  constexpr std::size_t most = 8;
  std::string text;
  for (std::size_t i = 0; i < seen.endpoints.size() && i < most; ++i)
    text += (text.empty() ? "" : "; ") + describe(seen.endpoints[i], now);
  if (seen.endpoints.size() > most) text += fmt::format("; and {} more", seen.endpoints.size() - most);
  if (!seen.discovery_problem.empty()) text += (text.empty() ? "" : "; ") + seen.discovery_problem;
  return text;
}

}  // namespace trunkline::routing
