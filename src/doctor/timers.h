// The timers that middle boxes are known for: how long each lets a connection be silent. Pure; any thread.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::doctor {

struct known_timer {
  std::chrono::seconds after;
  std::string_view whose;
  std::string_view pathology;
  std::string_view fix;  ///< empty: nothing but keepalive
};

/// In order of time (docs/doctor.md, timers).
std::span<const known_timer> known_timers();

/// Those that fit an end between the two times: the last silence that was survived, and the first that was
/// not.
std::vector<const known_timer*> suspects(std::chrono::seconds survived, std::chrono::seconds ended);

/// The silences to try, in order, none longer than `most`, which is the last one. A known timer has one
/// before it and one behind it.
std::vector<std::chrono::seconds> ladder_up_to(std::chrono::seconds most);

}  // namespace trunkline::doctor
