// Random bytes of cryptographic quality, from OpenSSL's generator. Any thread.
#pragma once

#include <openssl/rand.h>

#include <array>
#include <cstddef>
#include <stdexcept>

namespace trunkline::auth {

/// Throws std::runtime_error where the generator fails: nothing may go on with predictable bytes.
template <std::size_t Size>
std::array<std::byte, Size> random_bytes() {
  std::array<std::byte, Size> made;
  if (::RAND_bytes(reinterpret_cast<unsigned char*>(made.data()), static_cast<int>(made.size())) != 1) {
    throw std::runtime_error("the random number generator failed");
  }
  return made;
}

}  // namespace trunkline::auth
