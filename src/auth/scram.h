// What both roles of SCRAM share: mechanism names and nonces (RFC 5802, 7677; PostgreSQL "SASL
// Authentication"). Value types; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace trunkline::auth {

enum class mechanism : std::uint8_t { scram_sha_256, scram_sha_256_plus };

std::string_view name_of(mechanism which);
std::optional<mechanism> mechanism_named(std::string_view name);

/// Random bytes that the caller draws from a cryptographic source for each exchange; they are sent as 24
/// characters of base64, as PostgreSQL does.
using nonce = std::array<std::byte, 18>;

/// The hash of the TLS server's certificate that RFC 5929 section 4 calls tls-server-end-point. Empty
/// optional: the leg has no TLS, or its certificate has no such hash (Ed25519).
using end_point_binding = std::optional<std::vector<std::byte>>;

}  // namespace trunkline::auth
