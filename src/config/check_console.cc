#include <fmt/format.h>

#include <algorithm>

#include "config/checks.h"

namespace trunkline::config {

namespace {

bool is_console_name(const std::string& database) {
  return database == "trunkline" || database == "pgbouncer";
}

}  // namespace

void check_console(const check_input& in) {
  const auto& value = in.value;
  if (!value.admin.console.is_open()) {
    const bool wanted = !value.admin.console.verifier_file.empty() && in.state.sound("admin.console");
    if (wanted) in.problem("admin.console", "nobody may log in to it", "users or readers");
    return;
  }
  for (std::size_t i = 0; i < value.routes.size(); ++i) {
    const auto& databases = value.routes[i].match.databases;
    const auto hidden = std::find_if(databases.begin(), databases.end(), is_console_name);
    if (hidden == databases.end()) continue;
    in.warn(fmt::format("routes[{}].match.database", i),
            fmt::format("`{}` is the console's: no client of that database comes to a route", *hidden),
            "another name, or no admin.console");
  }
  const bool opens_any = std::any_of(value.listeners.begin(), value.listeners.end(), [](const listener& one) {
    return one.tls.mode != listener_tls_mode::passthrough;
  });
  if (opens_any || value.listeners.empty()) return;
  in.warn("admin.console", "nobody reaches it: every listener passes TLS through unopened",
          "a listener with another tls.mode");
}

}  // namespace trunkline::config
