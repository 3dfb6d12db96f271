// Who asks for an approval where a policy wants one, and waits for it. Owned by main, outlives the workers;
// called on the loop of the login.
#pragma once

#include <expected>

#include "runtime/task.h"

namespace trunkline::session {

struct login_context;
struct login_end;

class grant_desk {
 public:
  virtual ~grant_desk() = default;
  /// Precondition: the client has proved who it is, and `context->decided` is a `wait`. Returns when it may
  /// come in, or with why it may not.
  virtual runtime::task<std::expected<void, login_end>> ask(login_context* context) = 0;
};

}  // namespace trunkline::session
