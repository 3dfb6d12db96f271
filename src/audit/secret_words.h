// Which words tell of a secret nearby. Pure functions; any thread.
#pragma once

#include <string_view>

namespace trunkline::audit {

/// A word of secrets (password, secret, token...), a verifier, or user and password in an address, in any
/// case of letters.
bool names_secret(std::string_view text);

/// A verifier as pg_authid has it, or an address with a password in it: secret by itself.
bool holds_verifier(std::string_view text);

}  // namespace trunkline::audit
