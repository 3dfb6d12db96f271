// PgBouncer's auth_file, `"user" "secret"` a line: who is in it, and of what kind each secret is. The file
// itself is what `auth.verifierFile` takes (auth/user_file.h reads the same form); here it is only looked at,
// to know whom it can let in. Pure; any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>

#include "base/redacted.h"
#include "pgbouncer/ini_file.h"

namespace trunkline::pgbouncer {

enum class secret_kind : std::uint8_t {
  none,   ///< "": nobody logs in with it
  plain,  ///< the password itself
  md5,    ///< "md5..." of password and user
  scram,  ///< a verifier: SCRAM-SHA-256$...
};

struct listed_user {
  secret_kind kind = secret_kind::none;
  secret_text secret;
};

using userlist = std::map<std::string, listed_user, std::less<>>;

/// The first line that is wrong ends it. At most limits::user_file_users.
std::expected<userlist, config::problem> read_userlist(const secret_text& text, const std::string& file);

}  // namespace trunkline::pgbouncer
