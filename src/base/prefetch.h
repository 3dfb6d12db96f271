// Brings memory into this processor's caches before it is needed, beside whatever else is done meanwhile.
// Only a hint: it waits for nothing, and any address will do.
#pragma once

#include <cstddef>

namespace trunkline {

inline void prefetch(const void* at, std::size_t bytes) {
  constexpr std::size_t line = 64;
  for (std::size_t offset = 0; offset < bytes; offset += line)
    __builtin_prefetch(static_cast<const char*>(at) + offset);
}

}  // namespace trunkline
