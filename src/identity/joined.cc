#include "identity/joined.h"

namespace trunkline::identity {

std::string joined(std::initializer_list<std::string_view> texts) {
  std::string made;
  for (const std::string_view each : texts)
    made += std::to_string(each.size()) + ':' + std::string(each);
  return made;
}

std::string joined(const std::vector<std::string>& texts) {
  std::string made = std::to_string(texts.size()) + ';';
  for (const std::string& each : texts)
    made += joined({each});
  return made;
}

std::string api_url(std::string_view server, std::string_view path) {
  while (server.ends_with('/'))
    server.remove_suffix(1);
  return std::string(server) + std::string(path);
}

}  // namespace trunkline::identity
