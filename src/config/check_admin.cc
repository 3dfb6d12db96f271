#include <fmt/format.h>

#include <algorithm>

#include "config/checks.h"

namespace trunkline::config {

namespace {

/// Nobody else listens there.
void check_free(const check_input& in, const std::string& key, const address& where) {
  for (std::size_t i = 0; i < in.value.listeners.size(); ++i) {
    const auto& other = in.value.listeners[i].address;
    if ((other.host.empty() && other.path.empty()) || !same_place(where, other)) continue;
    in.problem(key, fmt::format("{} overlaps with listeners[{}], {}", where.text(), i, other.text()),
               "addresses that differ");
  }
}

void check_status(const check_input& in) {
  const std::string key = "admin.status";
  const auto& address = in.value.admin.address;
  const auto& status = in.value.admin.status;
  if (!status || !in.state.sound(key)) return;
  check_free(in, key, *status);
  if (address && in.state.sound("admin.address") && same_place(*status, *address))
    in.problem(key, fmt::format("{} overlaps with admin.address, {}", status->text(), address->text()),
               "addresses that differ");
}

}  // namespace

void check_admin(const check_input& in) {
  const auto& policies = in.value.access.policies;
  const auto approved = std::find_if(policies.begin(), policies.end(),
                                     [](const access_policy& each) { return each.approval.has_value(); });
  // With `kubernetes.requests` people answer at the API server, which knows them.
  const bool over_api = !in.value.admin.tokens_file.empty() || in.value.admin.jwt.has_value();
  if (approved != policies.end() && !over_api && !in.value.in_kubernetes.requests)
    in.warn("access.policies", "`" + approved->name + "` wants an approval, and nobody can give one",
            "admin.tokensFile or admin.jwt, which say who may");
  check_admin_tokens(in);
  check_status(in);
  const std::string key = "admin.address";
  const auto& where = in.value.admin.address;
  if (!where || !in.state.sound(key)) return;
  check_free(in, key, *where);
  if (!where->is_local()) {
    in.warn(key,
            fmt::format(
                "whoever reaches {} reads sessions, users and metrics, without TLS and without a password",
                where->text()),
            "a loopback address or a unix socket, with `admin.status` for probes and metrics");
  }
}

}  // namespace trunkline::config
