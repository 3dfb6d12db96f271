// A request or grant as the API, webhooks and the command line show it. Any thread.
#pragma once

#include <nlohmann/json.hpp>

#include "grants/record.h"

namespace trunkline::grants {

/// "2026-01-31T12:00:00.123Z"
std::string time_text(wall_time when);

/// Texts may hold bytes that are no UTF-8: dump with error_handler_t::replace.
nlohmann::ordered_json request_json(const record& of);

}  // namespace trunkline::grants
