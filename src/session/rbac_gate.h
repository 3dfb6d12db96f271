// Where Kubernetes' RBAC decides who has a route (docs/identity.md): asked at the login, and watched while
// the session runs. A step of `login`; one loop thread.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// Routes without `authorization` let everybody by. Sets access_facts::rbac; a refused client hears which
/// verb it lacks.
runtime::task<step<>> ask_rbac(login_context* context);

/// What the session is held to, with no more than RBAC gives: of the policy that let it in, or without one.
/// Null: nothing.
const access::policy* within_rbac(const session_facts& facts, const access::policy* by);

/// Why a session that RBAC has let in has to go now; nothing: it may stay.
std::optional<error> rbac_objection(const session_facts& facts);

/// By `newer` RBAC is asked about something else, or elsewhere, or at all, of which the session knows
/// nothing.
bool rbac_is_another(const session_facts& facts, const deployment& newer);

}  // namespace trunkline::session
