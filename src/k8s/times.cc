#include "k8s/times.h"

#include <fmt/chrono.h>

#include <cstdlib>
#include <ctime>
#include <string>

namespace trunkline::k8s {

std::string time_of(std::chrono::system_clock::time_point when) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", std::chrono::floor<std::chrono::seconds>(when));
}

std::string micro_time_of(std::chrono::system_clock::time_point when) {
  const auto second = std::chrono::floor<std::chrono::seconds>(when);
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(when - second);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z", second, rest.count());
}

std::int64_t seconds_of_time(std::string_view text) {
  std::tm parts{};
  const std::string whole(text);
  const char* end = ::strptime(whole.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return end == whole.c_str() + whole.size() && !whole.empty() ? ::timegm(&parts) : 0;
}

}  // namespace trunkline::k8s
