// PostgreSQL's MD5 password authentication, for servers that still ask for it (AuthenticationMD5Password).
// A cleartext answer is the password itself. Pure functions; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/redacted.h"

namespace trunkline::auth {

using md5_salt = std::array<std::byte, 4>;

/// "md5" and 32 lower-case hexadecimal digits: what pg_authid holds.
bool looks_like_md5_hash(std::string_view text);

/// The hash that pg_authid holds for this password: "md5" + hex(md5(password + user)).
secret_text md5_hash(std::string_view password, std::string_view user);

/// The PasswordMessage's text from the stored hash: "md5" + hex(md5(hex part + salt)).
secret_text md5_response(const secret_text& hash, const md5_salt& salt);

/// From either a password or, where it looks like one, a stored hash.
secret_text md5_response(const secret_text& password_or_hash, std::string_view user, const md5_salt& salt);

}  // namespace trunkline::auth
