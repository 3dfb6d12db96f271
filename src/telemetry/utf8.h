// Text that strangers chose, made fit for formats that take UTF-8 only (RFC 3629). Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::telemetry {

/// Each byte that is no part of a well-formed sequence becomes U+FFFD, and so does a NUL.
std::string valid_utf8(std::string_view text);

}  // namespace trunkline::telemetry
