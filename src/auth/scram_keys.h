// The keys of SCRAM-SHA-256 (RFC 5802 section 3, RFC 7677) and the verifier that PostgreSQL stores of them
// in pg_authid. Value types; any thread. `derive` is expensive: call it off the loop, see key_cache.h.
//
//   SaltedPassword = PBKDF2(saslprep(password), salt, iterations)
//   ClientKey = HMAC(SaltedPassword, "Client Key")      StoredKey = SHA256(ClientKey)
//   ServerKey = HMAC(SaltedPassword, "Server Key")
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "auth/sha256.h"
#include "base/bytes.h"
#include "base/redacted.h"
#include "base/result.h"

namespace trunkline::auth {

using secret_key = redacted<digest>;

/// What a server keeps of a password. Without guessing it allows neither to log in (ClientKey is missing)
/// nor to recover the password, but who has ServerKey can pose as the server: keep it secret.
struct verifier {
  std::uint32_t iterations = 0;  ///< 1 to limits::scram_iterations_max
  std::vector<std::byte> salt;   ///< 1 to limits::scram_salt_bytes_max
  secret_key stored_key;
  secret_key server_key;
};

/// What a client needs for one exchange; ClientKey is as good as the password for this salt.
struct client_keys {
  secret_key client_key;
  secret_key server_key;
};

/// Keys together with the salt and iterations that they hold for.
struct bound_client_keys {
  client_keys keys;
  std::vector<std::byte> salt;
  std::uint32_t iterations = 0;

  bool are_for(byte_span other_salt, std::uint32_t other_iterations) const {
    return iterations == other_iterations &&
           std::equal(salt.begin(), salt.end(), other_salt.begin(), other_salt.end());
  }
};

/// Reads "SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>" (the last three in base64).
/// Error: source gateway, 28000, without any part of the text.
result<verifier> parse_verifier(std::string_view text);

/// The same text again, for a file or a test; it is a secret.
secret_text format_verifier(const verifier& value);

/// It begins with "SCRAM-SHA-256-KEYS$": keys that log in where a server holds the verifier with this salt,
/// and nowhere else, in the place of a password.
bool looks_like_client_keys(std::string_view text);

/// Reads "SCRAM-SHA-256-KEYS$<iterations>:<salt>$<ClientKey>:<ServerKey>". Error: as parse_verifier.
result<bound_client_keys> parse_client_keys(std::string_view text);

/// The same text again; as good as the password for this salt.
secret_text format_client_keys(const bound_client_keys& value);

/// Prepares the password (saslprep.h) and runs PBKDF2: milliseconds. `iterations` 0 counts as 1.
client_keys derive(std::string_view password, byte_span salt, std::uint32_t iterations);

/// The verifier that belongs to the keys: what a server with this salt and count would store.
verifier verifier_of(const client_keys& keys, byte_span salt, std::uint32_t iterations);

/// The iteration count that PostgreSQL uses unless told otherwise (scram_iterations).
inline constexpr std::uint32_t default_iterations = 4096;

/// 16 bytes that look random and stay the same for a user as long as `server_secret` does. Use it also as
/// the salt of plaintext entries, so that nobody can tell a known user from an unknown one.
std::vector<std::byte> stable_salt(std::string_view user, byte_span server_secret);

/// For users that do not exist: stable salt, and keys that no proof can match.
verifier fake_verifier(std::string_view user, byte_span server_secret,
                       std::uint32_t iterations = default_iterations);

}  // namespace trunkline::auth
