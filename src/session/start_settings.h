// The settings that a client asks for in its StartupMessage, as a pooled session has them from then on. Pure.
#pragma once

#include "base/result.h"
#include "config/settings.h"
#include "pool/setting_map.h"
#include "protocol/startup_message.h"

namespace trunkline::session {

/// Parameters and `options` (-c name=value, --name=value); what the operator sets is the operator's. An
/// error, 0A000, where `options` hold something else.
result<pool::setting_map> start_settings(
    const protocol::startup_message& startup,
    const std::vector<std::pair<std::string, std::string>>& operators_own);

/// As PostgreSQL keeps an application_name: printable ASCII, 63 bytes.
std::string clean_application_name(std::string_view name);

}  // namespace trunkline::session
