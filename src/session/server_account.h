// As whom the gateway logs in to the server for a client, and how the server is told who that client is.
// Pure. Called by the login, on its loop.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "session/login_context.h"

namespace trunkline::session {

/// The route's `credentials` for this principal; null: it logs in as the client itself.
const config::server_user* account_of(const login_context& context);

/// The principal, where the server is told of it by a setting; else nothing.
std::vector<std::pair<std::string, std::string>> principal_settings(const login_context& context);

/// Start-up settings that the operator wants: the route's, and over them the policy's.
std::vector<std::pair<std::string, std::string>> operator_settings(const session_facts& facts);

/// The client's, with the principal behind it where the route says so; never longer than PostgreSQL keeps.
std::string application_name_of(const login_context& context);

}  // namespace trunkline::session
