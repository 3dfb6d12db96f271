#include "session/certificate_login.h"

#include <utility>

#include "session/client_identity.h"

namespace trunkline::session {

namespace {

bool by_oauthbearer(const config::route_auth& auth) {
  return auth.jwt && auth.jwt->offer == config::token_offer::oauthbearer;
}

}  // namespace

login_end not_proved(const login_context& context, std::string reason) {
  const config::route_auth& auth = context.facts->route->auth;
  // PostgreSQL's own words and codes, which clients know.
  const bool by_password = auth.method != config::auth_method::cert && !by_oauthbearer(auth);
  const char* const how = by_password                                ? "password"
                          : auth.method == config::auth_method::cert ? "certificate"
                                                                     : "OAuth bearer";
  auto why = refused({.source = error_source::client,
                      .code = by_password ? sqlstates::invalid_password : sqlstates::invalid_authorization,
                      .message = std::string(how) + " authentication failed for user \"" +
                                 context.facts->user.str() + "\""});
  why.detail = std::move(reason);
  return why;
}

step<> take_identity(login_context& context, std::shared_ptr<const auth::identity> who) {
  const bool may = may_be(*who, context.facts->route->auth.user_map, context.startup.user);
  context.facts->access.edit().who = std::move(who);
  if (may) return {};
  return std::unexpected(not_proved(
      context, "principal \"" + context.facts->access->who->principal + "\" may not be this user"));
}

step<> prove_by_certificate(login_context& context) {
  const auto shown =
      context.client_tls == nullptr ? nullptr : context.client_tls->session().peer_certificate();
  if (shown == nullptr) return std::unexpected(not_proved(context, "the client has shown no certificate"));
  const auto& rules = context.facts->route->auth.certificate;
  auto principal = principal_of(*shown, rules ? &*rules : nullptr);
  if (!principal)
    return std::unexpected(not_proved(context, "no rule fits the certificate of " + shown->subject));
  return take_identity(context, std::make_shared<const auth::identity>(auth::identity{
                                    .principal = std::move(*principal), .until = shown->not_after}));
}

}  // namespace trunkline::session
