#include "console/peer_address.h"

#include <charconv>

namespace trunkline::console {

peer_address peer_address_of(std::string_view text) {
  if (text.empty()) return {};
  if (text.starts_with("unix") || text.front() == '/' || text.front() == '@') return {.host = "unix"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {.host = std::string(text)};
  peer_address made;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  made.host = host;
  const std::string_view port = text.substr(colon + 1);
  std::from_chars(port.data(), port.data() + port.size(), made.port);
  return made;
}

}  // namespace trunkline::console
