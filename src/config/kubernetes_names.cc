#include "config/kubernetes_names.h"

#include <algorithm>

namespace trunkline::config {

namespace {

constexpr std::size_t label_bytes = 63;
constexpr std::size_t subdomain_bytes = 253;

bool is_small(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool is_object_name(std::string_view text, std::size_t most, bool with_dots) {
  return !text.empty() && text.size() <= most && is_small(text.front()) && is_small(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_small(c) || c == '-' || (with_dots && c == '.'); });
}

}  // namespace

bool is_kubernetes_label(std::string_view text) {
  return is_object_name(text, label_bytes, false);
}

bool is_kubernetes_name(std::string_view text) {
  return is_object_name(text, subdomain_bytes, true);
}

bool is_secret_key(std::string_view text) {
  return !text.empty() && text.size() <= subdomain_bytes && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_small(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
         });
}

}  // namespace trunkline::config
