// result<T>: a value or an `error`. Expected failures travel as values; exceptions do not cross a room's
// door.
#pragma once

#include <expected>
#include <utility>

#include "base/error.h"

namespace trunkline {

template <class T = void>
using result = std::expected<T, error>;

inline std::unexpected<error> fail(error why) {
  return std::unexpected<error>(std::move(why));
}

}  // namespace trunkline
