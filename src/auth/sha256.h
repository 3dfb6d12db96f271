// SHA-256, HMAC-SHA-256 and PBKDF2 (FIPS 180-4, RFC 2104, RFC 8018) as functions that cannot fail.
// They use OpenSSL's compression function directly: with 4,096 rounds per login the cost of the generic
// interfaces is most of the bill (sha256_bench.cc has the comparison). Pure functions; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "base/bytes.h"

namespace trunkline::auth {

inline constexpr std::size_t sha256_bytes = 32;
using digest = std::array<std::byte, sha256_bytes>;

/// Hash of the concatenation of `parts`.
digest sha256(std::initializer_list<byte_span> parts);

/// HMAC of the concatenation of `parts`; `key` may have any length.
digest hmac_sha256(byte_span key, std::initializer_list<byte_span> parts);

/// PBKDF2-HMAC-SHA-256 with an output of one block (what RFC 5802 calls Hi). Takes 0.2 to 0.6 us per
/// iteration: never call it on a loop thread. `iterations` 0 counts as 1.
digest pbkdf2_sha256(byte_span password, byte_span salt, std::uint32_t iterations);

/// Compares without telling by its time where the difference is. Unequal lengths are unequal at once.
bool equal_in_constant_time(byte_span left, byte_span right);

}  // namespace trunkline::auth
