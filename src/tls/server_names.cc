#include "tls/server_names.h"

namespace trunkline::tls {

std::string normal_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string normal(name);
  for (char& c : normal) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return normal;
}

void server_names::add(std::string_view pattern, std::size_t entry) {
  std::string name = normal_name(pattern);
  if (name.starts_with("*."))
    wildcards_.push_back({name.substr(1), entry});
  else
    exact_.push_back({std::move(name), entry});
}

std::optional<std::size_t> server_names::find(std::string_view name) const {
  const std::string wanted = normal_name(name);
  for (const item& one : exact_) {
    if (one.name == wanted) return one.entry;
  }
  const std::size_t dot = wanted.find('.');
  if (dot == std::string::npos || dot == 0) return std::nullopt;
  const std::string_view rest = std::string_view(wanted).substr(dot);
  for (const item& one : wildcards_) {
    if (one.name == rest) return one.entry;
  }
  return std::nullopt;
}

}  // namespace trunkline::tls
