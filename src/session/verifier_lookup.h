// Where a user's SCRAM verifier comes from: the route's verifier file, an auth_query, or the route's
// credentials.
#pragma once

#include "auth/scram_keys.h"
#include "auth/user_file.h"
#include "session/login_context.h"

namespace trunkline::session {

struct known_user {
  auth::verifier verifier;
  bool exists = true;         ///< false: a fake verifier, so that nobody can tell
  secret_text password = {};  ///< where the file holds it; may be empty
};

runtime::task<step<known_user>> find_user(login_context* context);

/// `users` outlives the call. A user who is not `admitted` is treated as one that the file does not have.
runtime::task<step<known_user>> find_in_file(login_context* context, const auth::user_file* users,
                                             bool admitted);

}  // namespace trunkline::session
