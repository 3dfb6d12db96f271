#include "admin/json.h"

#include <fmt/format.h>

#include <ctime>

namespace trunkline::admin {

http_response json_response(const json& body, int status) {
  return {.status = status, .body = body.dump(1, ' ', false, json::error_handler_t::replace) + "\n"};
}

std::string rfc3339(std::chrono::system_clock::time_point when) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(when.time_since_epoch()).count();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(when);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     (micros % 1'000'000 + 1'000'000) % 1'000'000);
}

}  // namespace trunkline::admin
