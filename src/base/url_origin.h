// What of a URL may be shown: path and query of a webhook's are a secret as often as not. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace trunkline {

/// "https://hooks.example.org:8443" of "https://hooks.example.org:8443/T0/B0?key=1".
inline std::string url_origin(std::string_view url) {
  const auto scheme = url.find("://");
  const auto begin = scheme == url.npos ? 0 : scheme + 3;
  std::string_view origin = url.substr(0, url.find_first_of("/?#", begin));
  // A name and a password may stand before the host.
  const auto at = origin.rfind('@');
  if (at == origin.npos || at < begin) return std::string(origin);
  return std::string(origin.substr(0, begin)) + std::string(origin.substr(at + 1));
}

}  // namespace trunkline
