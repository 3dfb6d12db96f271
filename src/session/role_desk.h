// Who makes the role that a grant has at its server (docs/credentials.md). Owned by main, outlives the
// workers; called on the loop of the login.
#pragma once

#include <expected>

#include "pool/server_login.h"
#include "runtime/task.h"

namespace trunkline::session {

struct login_context;
struct login_end;

class role_desk {
 public:
  virtual ~role_desk() = default;
  /// Precondition: a grant has let the session in, and its route has `credentials.ephemeral`. Returns when
  /// the role is there.
  virtual runtime::task<std::expected<pool::server_secret, login_end>> role_for(login_context* context) = 0;
  /// The server does not let the grant's role in: before the next session it is seen to that it is there.
  virtual void doubt(std::int64_t grant) = 0;
};

}  // namespace trunkline::session
