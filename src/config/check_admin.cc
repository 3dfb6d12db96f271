#include <fmt/format.h>

#include "config/checks.h"

namespace trunkline::config {

void check_admin(const check_input& in) {
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
