// What a webhook is sent: a change as JSON, or as a text for Slack and what speaks as it does; and the
// signature that says it comes from here. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/redacted.h"
#include "grants/desk.h"

namespace trunkline::grants {

/// {"id": ..., "event": "access.request", "time": ..., "by": ..., "reason": ..., "request": {...}}
std::string json_body(const change& of, const std::string& delivery, wall_time now);

/// {"text": "..."}; names and reasons cannot mention anybody or make links.
std::string slack_body(const change& of);

/// "t=1700000000,v1=HEX": HMAC-SHA-256 over the time, a dot and the body. The time is in it so that what was
/// recorded cannot be sent again later.
std::string signature_of(const secret_text& secret, std::int64_t unix_seconds, std::string_view body);

}  // namespace trunkline::grants
