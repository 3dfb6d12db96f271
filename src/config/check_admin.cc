#include <fmt/format.h>

#include <algorithm>

#include "config/checks.h"

namespace trunkline::config {

void check_admin(const check_input& in) {
  const auto& policies = in.value.access.policies;
  const auto approved = std::find_if(policies.begin(), policies.end(),
                                     [](const access_policy& each) { return each.approval.has_value(); });
  if (approved != policies.end() && in.value.admin.tokens_file.empty() && !in.value.admin.jwt)
    in.warn("access.policies", "`" + approved->name + "` wants an approval, and nobody can give one",
            "admin.tokensFile or admin.jwt, which say who may");
  check_admin_tokens(in);
  const std::string key = "admin.address";
  const auto& where = in.value.admin.address;
  if (!where || !in.state.sound(key)) return;
  for (std::size_t i = 0; i < in.value.listeners.size(); ++i) {
    const auto& other = in.value.listeners[i].address;
    if ((other.host.empty() && other.path.empty()) || !same_place(*where, other)) continue;
    in.problem(key, fmt::format("{} overlaps with listeners[{}], {}", where->text(), i, other.text()),
               "addresses that differ");
  }
  if (!where->is_local()) {
    in.warn(key,
            fmt::format(
                "whoever reaches {} reads sessions, users and metrics, without TLS and without a password",
                where->text()),
            "a loopback address or a unix socket, or a network policy around it");
  }
}

}  // namespace trunkline::config
