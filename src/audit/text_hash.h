// A fast 64-bit hash of bytes for tables inside one process and for the sparse index: multiply and fold,
// eight bytes at a time. Not cryptographic. The same input gives the same number in every build. Pure
// functions; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace trunkline::audit {

inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  const auto wide = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(wide) ^ static_cast<std::uint64_t>(wide >> 64);
}

inline std::uint64_t text_hash(std::string_view text, std::uint64_t seed = 0) {
  constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15;
  constexpr std::uint64_t k1 = 0xd6e8feb86659fd93;
  const char* at = text.data();
  std::size_t left = text.size();
  std::uint64_t state = seed ^ (k0 * (left + 1));
  for (; left > 16; at += 16, left -= 16) {
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::memcpy(&a, at, 8);
    std::memcpy(&b, at + 8, 8);
    state = fold_multiply(a ^ k1 ^ state, b ^ k0) + (state << 23 | state >> 41);
  }
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  if (left >= 8) {
    std::memcpy(&a, at, 8);
    std::memcpy(&b, at + left - 8, 8);
  } else if (left > 0) {
    std::memcpy(&a, at, left);
  }
  return fold_multiply(fold_multiply(a ^ k1, b ^ state) ^ k0, state ^ k1);
}

/// For tables whose keys are such hashes already.
struct identity_hash {
  std::size_t operator()(std::uint64_t key) const { return static_cast<std::size_t>(key); }
};

}  // namespace trunkline::audit
