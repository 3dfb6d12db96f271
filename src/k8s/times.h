// Times as the Kubernetes API writes them: RFC 3339, UTC (apimachinery's Time and MicroTime). Pure; any
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::k8s {

/// "2026-01-31T12:00:00Z"
std::string time_of(std::chrono::system_clock::time_point when);
/// "2026-01-31T12:00:00.123456Z"
std::string micro_time_of(std::chrono::system_clock::time_point when);
/// Since 1970, of what `time_of` writes; 0 where it is no such time.
std::int64_t seconds_of_time(std::string_view text);

}  // namespace trunkline::k8s
