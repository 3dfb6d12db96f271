// The public keys of an issuer (JWKS, RFC 7517) and the signatures that they check (RFC 7515, RFC 7518): RSA
// and elliptic curves only, so that nobody can sign with what is public. Immutable; any thread. Checking one
// takes up to 0.2 ms: off the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/sha256.h"
#include "base/result.h"

namespace trunkline::auth {

enum class signature_algorithm : std::uint8_t {
  rs256,
  rs384,
  rs512,
  ps256,
  ps384,
  ps512,
  es256,
  es384,
  es512
};

/// "RS256" and so on. Nothing for `none`, for secrets that both sides have (HS256) and for all others.
std::optional<signature_algorithm> algorithm_of(std::string_view name);
std::string_view name_of(signature_algorithm algorithm);

enum class signature_verdict : std::uint8_t { good, no_such_key, wrong };

class key_set {
 public:
  /// Keys of kinds that are not known, that are not for signatures, or are too small or too large are passed
  /// over. Fails where the text is no JWKS, has too many keys, or none that can be used: source gateway, in
  /// words for the operator.
  static result<key_set> parse(std::string_view json);

  /// Of a token in compact form, whose header says `algorithm` and, where it says so, `key_id`. Without an id
  /// every key that the algorithm fits is tried.
  signature_verdict check(std::string_view token, signature_algorithm algorithm,
                          std::string_view key_id) const;

  std::size_t size() const { return keys_.size(); }
  /// Of the text that it was read from.
  const digest& fingerprint() const { return fingerprint_; }

 private:
  enum class kind : std::uint8_t { rsa, p256, p384, p521 };
  struct key {
    std::string id;                           ///< may be empty
    std::optional<signature_algorithm> only;  ///< nothing: every one that fits its kind
    kind what = kind::rsa;
    std::shared_ptr<void> handle;  ///< of libcjose

    bool fits(signature_algorithm algorithm, std::string_view key_id) const;
  };

  static std::optional<key> read_key(const std::string& json);

  std::vector<key> keys_;
  digest fingerprint_{};
};

}  // namespace trunkline::auth
