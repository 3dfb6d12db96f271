// The passwords of routes' credentials that a reload has replaced (docs/credentials.md). Made by the thread
// that reloads, read by any.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "config/settings.h"
#include "pool/secret_before.h"

namespace trunkline::session {

/// By the route's name, and the user at the server.
using secrets_before = std::map<std::pair<std::string, std::string>, std::shared_ptr<pool::secret_before>>;

/// `kept`: those of `older`, which go on where the password stays what it is.
secrets_before replaced_secrets(const config::settings& older, const secrets_before& kept,
                                const config::settings& newer, runtime::time_point now);

/// Null: there is none.
std::shared_ptr<pool::secret_before> find_secret(const secrets_before& in, const std::string& route,
                                                 const std::string& user);

}  // namespace trunkline::session
