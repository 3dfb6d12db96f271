#include "config/build_identity.h"

#include <utility>

namespace trunkline::config {

namespace {

std::optional<certificate_auth> build_certificate(section from) {
  if (!from.present()) return std::nullopt;
  certificate_auth made;
  for (auto& entry : from.children("map")) {
    certificate_rule rule;
    rule.from = entry.choice("from", certificate_names);
    rule.match = entry.text("match");
    rule.principal = entry.text("principal");
    made.map.push_back(std::move(rule));
  }
  return made;
}

issuer_keys build_keys(section& from) {
  issuer_keys made;
  made.issuer = from.url("issuer");
  made.jwks_file = from.file("jwksFile");
  made.jwks_uri = from.url("jwksUri");
  made.ca_file = from.file_or_secret("ca");
  return made;
}

jwt_auth build_tokens(section& from) {
  jwt_auth made;
  made.keys = build_keys(from);
  made.audiences = from.texts("audience");
  made.principal_claim = from.text("principalClaim");
  made.groups_claim = from.text("groupsClaim");
  made.algorithms = from.texts("algorithms");
  made.clock_skew = from.duration("clockSkew");
  return made;
}

std::optional<jwt_auth> build_jwt(section from) {
  if (!from.present()) return std::nullopt;
  jwt_auth made = build_tokens(from);
  made.offer = from.choice("offer", token_offers);
  made.scope = from.text("scope");
  return made;
}

std::optional<kubernetes_auth> build_kubernetes(section from) {
  if (!from.present()) return std::nullopt;
  kubernetes_auth made;
  // An object cannot choose whom the gateway's own token is shown to.
  const kubernetes_access own = from.of_object() ? from.state().way_to_api() : kubernetes_access{};
  made.api_server = from.of_object() ? own.api_server : from.url("apiServer");
  made.token_file = from.of_object() ? own.token_file : from.file("tokenFile");
  made.ca_file = from.of_object() ? own.ca_file : from.file("caFile");
  made.audiences = from.texts("audience");
  section offline = from.child("offline");
  if (offline.present()) made.offline = build_keys(offline);
  return made;
}

}  // namespace

std::optional<jwt_auth> build_bearer_tokens(section from) {
  if (!from.present()) return std::nullopt;
  return build_tokens(from);
}

void build_identity(section& auth, route_auth& to) {
  to.certificate = build_certificate(auth.child("certificate"));
  to.jwt = build_jwt(auth.child("jwt"));
  to.kubernetes = build_kubernetes(auth.child("kubernetes"));
  to.disconnect_expired = auth.boolean("disconnectExpired");
  for (auto& entry : auth.children("userMap")) {
    to.user_map.push_back({.principals = entry.texts("principal"),
                           .groups = entry.texts("group"),
                           .users = entry.texts("user")});
  }
}

}  // namespace trunkline::config
