#include "session/server_account.h"

#include <algorithm>

namespace trunkline::session {

namespace {

constexpr std::size_t name_bytes = 63;  // NAMEDATALEN - 1

config::principal_note note_of(const login_context& context) {
  const auto& login = context.facts->route->login;
  return login ? login->note : config::principal_note::off;
}

}  // namespace

const config::server_user* account_of(const login_context& context) {
  const config::route& route = *context.facts->route;
  if (!route.login || route.auth.method == config::auth_method::server) return nullptr;
  return &route.login->of(context.facts->principal());
}

std::vector<std::pair<std::string, std::string>> principal_settings(const login_context& context) {
  if (note_of(context) != config::principal_note::setting) return {};
  return {{"trunkline.principal", std::string(context.facts->principal())}};
}

std::vector<std::pair<std::string, std::string>> operator_settings(const session_facts& facts) {
  auto all = facts.route->parameters;
  if (facts.policy != nullptr)
    all.insert(all.end(), facts.policy->parameters.begin(), facts.policy->parameters.end());
  return all;
}

std::string application_name_of(const login_context& context) {
  std::string name = context.facts->application_name;
  if (note_of(context) != config::principal_note::application_name) return name;
  // The end is what must not be cut off.
  std::string who(context.facts->principal().substr(0, name_bytes - 2));
  const std::size_t room = name_bytes - who.size() - 2;
  const std::size_t kept = room > 0 ? std::min(name.size(), room - 1) : 0;
  return name.substr(0, kept) + (kept > 0 ? " " : "") + '[' + who + ']';
}

}  // namespace trunkline::session
