// The login of a console session: database `trunkline` or `pgbouncer`, where `admin.console` is configured.
// The gateway is the server here: SCRAM against the console's own verifier file, then what a PostgreSQL
// server says before its first ReadyForQuery. One step of `login`.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Whether this client is to get the console and no route. After negotiation.
bool wants_console(const login_context& context);

/// Whether this user may run more than SHOW, by the configuration that the session began with.
bool may_act_at_console(const session_facts& facts);

/// Up to and with the first ReadyForQuery. A user who may not is refused as if the password were wrong.
runtime::task<step<established>> console_login(login_context* context);

}  // namespace trunkline::session
