#include "session/secret_overlap.h"

#include <vector>

#include "base/limits.h"

namespace trunkline::session {

namespace {

using known_secrets = std::map<std::pair<std::string, std::string>, const config::server_user*>;

known_secrets secrets_of(const config::settings& in) {
  known_secrets made;
  for (const auto& route : in.routes) {
    if (!route.login) continue;
    made.try_emplace({route.name, route.login->usual.user}, &route.login->usual);
    for (const auto& each : route.login->principals)
      made.try_emplace({route.name, each.as.user}, &each.as);
    if (const auto& roles = route.login->ephemeral)
      made.try_emplace({route.name, roles->as.user}, &roles->as);
  }
  return made;
}

}  // namespace

secrets_before replaced_secrets(const config::settings& older, const secrets_before& kept,
                                const config::settings& newer, runtime::time_point now) {
  secrets_before made;
  const auto former = secrets_of(older);
  for (const auto& [where, user] : secrets_of(newer)) {
    const auto was = former.find(where);
    if (was == former.end() || was->second->password.empty()) continue;
    if (was->second->password.reveal() != user->password.reveal()) {
      made[where] =
          std::make_shared<pool::secret_before>(was->second->password, now + limits::secret_overlap);
    } else if (auto still = find_secret(kept, where.first, where.second)) {
      made[where] = std::move(still);
    }
  }
  return made;
}

std::shared_ptr<pool::secret_before> find_secret(const secrets_before& in, const std::string& route,
                                                 const std::string& user) {
  const auto found = in.find({route, user});
  return found == in.end() ? nullptr : found->second;
}

}  // namespace trunkline::session
