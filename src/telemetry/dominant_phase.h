// Where most of an exchange's time went, in words for somebody who was woken up. Pure; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "telemetry/exchange.h"

namespace trunkline::telemetry {

inline constexpr std::array<std::string_view, phase_count> phase_meanings{
    "the gateway itself was busy",
    "it waited for a server connection",
    "the network between gateway and server was slow",
    "the database server was working",
    "the result was on its way from the server",
    "the client did not take what was sent to it",
    "the client was still sending its request",
};

struct dominant_phase {
  std::string_view name = "none";
  std::string_view meaning = "it took no time that could be measured";
  nanoseconds time{0};
  double share = 0;  ///< of the whole, 0 to 1
};

inline dominant_phase dominant_phase_of(const exchange_facts& facts) {
  const auto which = static_cast<std::size_t>(dominant(facts));
  const nanoseconds time = facts.phases[which];
  if (time <= nanoseconds{0}) return {};
  const nanoseconds whole = std::max(facts.total, time);
  return {.name = phase_names[which],
          .meaning = phase_meanings[which],
          .time = time,
          .share = static_cast<double>(time.count()) / static_cast<double>(whole.count())};
}

}  // namespace trunkline::telemetry
