// Random bytes of cryptographic quality from the kernel (getrandom(2)). Any thread.
#pragma once

#include <sys/random.h>

#include <array>
#include <cstddef>
#include <stdexcept>

namespace trunkline::runtime {

/// Throws std::runtime_error where the kernel has none: nothing may go on with predictable bytes.
template <std::size_t Size>
std::array<std::byte, Size> random_bytes() {
  static_assert(Size <= 256, "up to 256 bytes come in one piece");
  std::array<std::byte, Size> made;
  if (::getrandom(made.data(), made.size(), 0) != static_cast<ssize_t>(made.size())) {
    throw std::runtime_error("the kernel's random number generator failed");
  }
  return made;
}

}  // namespace trunkline::runtime
