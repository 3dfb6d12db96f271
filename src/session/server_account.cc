#include "session/server_account.h"

#include <algorithm>

#include "session/grant_hold.h"

namespace trunkline::session {

namespace {

constexpr std::size_t name_bytes = 63;  // NAMEDATALEN - 1

config::principal_note note_of(const login_context& context) {
  const auto& login = context.facts->route->login;
  return login ? login->note : config::principal_note::off;
}

login_end no_account(const login_context& context) {
  auto why =
      refused({.code = sqlstates::invalid_authorization,
               .message = "access to database \"" + context.facts->database.str() + "\" is by grants only"});
  why.detail = "credentials have no user, and no grant has let it in";
  return why;
}

}  // namespace

bool has_own_role(const login_context& context) {
  return context.facts->access->grant != nullptr && context.shared->roles != nullptr &&
         !logs_in_as_itself(context) && context.facts->route->login->ephemeral;
}

bool logs_in_as_itself(const login_context& context) {
  const config::route& route = *context.facts->route;
  return !route.login || route.auth.method == config::auth_method::server;
}

step<pool::server_secret> secret_for_server(const login_context& context, pool::server_secret proved) {
  const session_facts& facts = *context.facts;
  if (!logs_in_as_itself(context)) {
    const config::server_user& account = facts.route->login->of(facts.principal());
    if (account.user.empty()) return std::unexpected(no_account(context));
    return pool::server_secret{.user = account.user,
                               .password = account.password,
                               .before = find_secret(facts.setup->secrets, facts.route->name, account.user)};
  }
  if (!proved.password.empty()) proved.recovered.reset();
  return proved;
}

void note_refusal_of_server(const login_context& context, sqlstate code) {
  const bool of_the_role = code == sqlstates::invalid_password || code == sqlstates::invalid_authorization;
  if (!of_the_role || !has_own_role(context)) return;
  if (const auto granted = context.facts->access->grant->at().now().of)
    context.shared->roles->doubt(granted->id);
}

std::vector<std::pair<std::string, std::string>> principal_settings(const login_context& context) {
  if (note_of(context) != config::principal_note::setting) return {};
  return {{"trunkline.principal", std::string(context.facts->principal())}};
}

std::vector<std::pair<std::string, std::string>> operator_settings(const session_facts& facts) {
  auto all = facts.route->parameters;
  if (facts.access->policy != nullptr)
    all.insert(all.end(), facts.access->policy->parameters.begin(), facts.access->policy->parameters.end());
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
