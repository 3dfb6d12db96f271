// The users that the gateway authenticates itself, read from a text (auth: scram, verifier file).
// One user a line, in any of these forms; blank lines and lines that begin with # or ; are passed over:
//
//   name|SCRAM-SHA-256$4096:...       psql -At: select rolname, rolpassword from pg_authid
//   name:SCRAM-SHA-256$4096:...
//   "name" "secret"                   PgBouncer's userlist.txt; the secret is a verifier, an md5 hash or a
//                                     plaintext password, a quote inside is doubled
//
// A line `name|` (a role without a password) is passed over: that user cannot log in. Value type; reading is
// safe from any thread.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "auth/scram_keys.h"
#include "base/redacted.h"
#include "base/result.h"

namespace trunkline::auth {

/// A password as such: derive a verifier from it with `stable_salt`, off the loop, when it is first needed.
struct plaintext_secret {
  secret_text password;
};

/// "md5..." as in pg_authid: cannot be used for SCRAM in either role, only to answer a server's MD5 request.
struct md5_secret {
  secret_text hash;
};

using user_secret = std::variant<verifier, plaintext_secret, md5_secret>;

class user_file {
 public:
  /// Errors: source gateway, 28000, "<file_name>:<line>: <problem>", never with a part of the secret:
  /// malformed lines, a name twice, more than limits::user_file_bytes or limits::user_file_users.
  static result<user_file> parse(std::string_view text, std::string_view file_name);

  /// nullptr: no such user.
  const user_secret* find(std::string_view user) const;

  /// The user's verifier; fails with a message for the operator where there is none: unknown user, md5 hash
  /// (says how to store a SCRAM password), plaintext (derive it).
  result<const verifier*> find_verifier(std::string_view user) const;

  std::size_t size() const { return users_.size(); }
  const std::map<std::string, user_secret, std::less<>>& users() const { return users_; }

  /// The iteration count of most users, for fake verifiers that do not stand out; the default when empty.
  std::uint32_t usual_iterations() const { return usual_iterations_; }

 private:
  std::uint32_t count_usual_iterations() const;

  std::map<std::string, user_secret, std::less<>> users_;
  std::uint32_t usual_iterations_ = default_iterations;
};

}  // namespace trunkline::auth
