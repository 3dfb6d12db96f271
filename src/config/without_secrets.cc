#include "config/without_secrets.h"

#include <string_view>
#include <unordered_set>

namespace trunkline::config {

settings without_secrets(settings value) {
  std::unordered_set<std::string_view> paths;
  for (const auto& each : value.secret_files)
    paths.insert(each.path);
  const auto is_secret = [&](const std::string& path) { return paths.contains(path); };
  const auto leave_out = [&](std::string& path) {
    if (is_secret(path)) path.clear();
  };
  for (auto& each : value.upstreams) {
    // Without the authorities that it verifies by there is nothing to try.
    if (is_secret(each.tls.ca_file)) each.tls.mode = upstream_tls_mode::disable;
    leave_out(each.tls.ca_file);
    leave_out(each.tls.cert_file);
    leave_out(each.tls.key_file);
  }
  for (auto& each : value.routes) {
    leave_out(each.auth.verifier_file);
    if (each.auth.jwt) leave_out(each.auth.jwt->keys.ca_file);
    if (each.auth.kubernetes && each.auth.kubernetes->offline)
      leave_out(each.auth.kubernetes->offline->ca_file);
  }
  if (value.admin.jwt) leave_out(value.admin.jwt->keys.ca_file);
  return value;
}

}  // namespace trunkline::config
