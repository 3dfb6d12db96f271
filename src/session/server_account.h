// As whom the gateway logs in to the server for a client, and how the server is told who that client is.
// Called by the login, on its loop.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "session/login_context.h"

namespace trunkline::session {

/// No: as whom the route's `credentials` say.
bool logs_in_as_itself(const login_context& context);

/// A grant has let it in, and the route has a role for each: `services::roles` tells as whom.
bool has_own_role(const login_context& context);

/// As whom the gateway logs in for a client that is let in, where it has no role of its own: by the route's
/// `credentials`; or with what the client has proved, a password that the file holds before the keys, since
/// it fits whatever salt the server has.
step<pool::server_secret> secret_for_server(const login_context& context, pool::server_secret proved);

/// A login with that secret came to nothing.
void note_refusal_of_server(const login_context& context, sqlstate code);

/// The principal, where the server is told of it by a setting; else nothing.
std::vector<std::pair<std::string, std::string>> principal_settings(const login_context& context);

/// Start-up settings that the operator wants: the route's, and over them the policy's.
std::vector<std::pair<std::string, std::string>> operator_settings(const session_facts& facts);

/// The client's, with the principal behind it where the route says so; never longer than PostgreSQL keeps.
std::string application_name_of(const login_context& context);

}  // namespace trunkline::session
