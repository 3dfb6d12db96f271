// JSON answers: values in the order in which they are set, times as RFC 3339, and texts of strangers made
// valid UTF-8. Any thread.
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "admin/http_message.h"

namespace trunkline::admin {

using json = nlohmann::ordered_json;

http_response json_response(const json& body, int status = 200);

/// "2026-01-31T12:00:00.123456Z"
std::string rfc3339(std::chrono::system_clock::time_point when);

}  // namespace trunkline::admin
