// The session events of the audit (interfaces.md, "Audit events"), made of what a session knows of itself.
// Pure; any thread.
#pragma once

#include <memory>

#include "audit/event.h"
#include "session/facts.h"
#include "session/login_context.h"

namespace trunkline::session {

std::unique_ptr<audit::rare_event> session_started_event(const session_facts& facts);
/// `why` null: the login went well.
std::unique_ptr<audit::rare_event> session_login_event(const login_context& login, const login_end* why,
                                                       runtime::time_point now);
std::unique_ptr<audit::rare_event> session_ended_event(const session_facts& facts, const session_end& end,
                                                       runtime::time_point now);

/// `console.command`; `why` null: it was done.
std::unique_ptr<audit::rare_event> console_command_event(const session_facts& facts, std::string command,
                                                         const error* why, runtime::time_point now);

}  // namespace trunkline::session
