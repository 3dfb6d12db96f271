// A JSON Web Token as the proof of who a client is (RFC 7519, RFC 8725; OpenID Connect Core 3.1.3.7): what
// must hold before it is believed. The time is a parameter. Pure; any thread; up to 0.3 ms, so off the loop.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "auth/identity.h"
#include "auth/key_set.h"

namespace trunkline::auth {

using wall_time = std::chrono::system_clock::time_point;

struct token_rules {
  std::string issuer;
  std::vector<std::string> audiences;  ///< one of them must be the token's
  std::string principal_claim = "sub";
  std::string groups_claim = {};                     ///< empty: none
  std::vector<signature_algorithm> algorithms = {};  ///< empty: all that are known
  std::chrono::milliseconds clock_skew{0};
};

struct token_refusal {
  std::string reason;           ///< for the operator; nothing of the token but claims, cut short
  bool key_is_unknown = false;  ///< all else is well: newer keys of the issuer may help
};

using token_verdict = std::variant<identity, token_refusal>;

/// `keys` null: there are none yet. An identity's `until` is the token's end, without the skew.
token_verdict check_token(std::string_view token, const token_rules& rules, const key_set* keys,
                          wall_time now);

/// What the token itself says of its end, without belief; nothing where it is none or says nothing.
std::optional<wall_time> claimed_end(std::string_view token);

}  // namespace trunkline::auth
