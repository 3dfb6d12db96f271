// How many clients there are to be at each moment. Pure; any thread.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trunkline::storm {

enum class profile : std::uint8_t {
  steady,  ///< all of them, from the beginning
  ramp,    ///< from one to all over the first four fifths, then all
  spike,   ///< a tenth, and all of them in the middle third
};

inline constexpr std::array<std::string_view, 3> profile_names{"steady", "ramp", "spike"};

/// From 1 to `all` (at least 1, a precondition), `elapsed` after the beginning of a run of length `total`.
std::size_t clients_at(profile shape, std::size_t all, std::chrono::nanoseconds elapsed,
                       std::chrono::nanoseconds total);

}  // namespace trunkline::storm
