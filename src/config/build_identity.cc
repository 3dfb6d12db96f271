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

std::optional<rbac_object> build_authorization(section from) {
  if (!from.present()) return std::nullopt;
  return rbac_object{
      .name_space = from.text("namespace"), .name = from.text("name"), .grace = from.duration("graceTime")};
}

std::optional<kubernetes_auth> build_kubernetes(section from) {
  if (!from.present()) return std::nullopt;
  kubernetes_auth made;
  if (!from.of_object()) {
    made.api_server = from.url("apiServer");
    made.token_file = from.file("tokenFile");
    made.ca_file = from.file("caFile");
  }
  made.audiences = from.texts("audience");
  section offline = from.child("offline");
  if (offline.present()) made.offline = build_keys(offline);
  made.authorization = build_authorization(from.child("authorization"));
  return made;
}

/// What is left out is the route's own, where that is an object.
void complete_authorization(rbac_object& of, const route& self) {
  if (self.name_space.empty()) return;
  if (of.name_space.empty()) of.name_space = self.name_space;
  if (of.name.empty()) of.name = self.name.substr(self.name.find('/') + 1);
}

}  // namespace

void complete_kubernetes(std::vector<route>& routes, const kubernetes_access& cluster) {
  for (route& each : routes) {
    if (!each.auth.kubernetes) continue;
    kubernetes_auth& said = *each.auth.kubernetes;
    if (said.authorization) complete_authorization(*said.authorization, each);
    // An object cannot choose whom the gateway's own token is shown to.
    const bool of_object = !each.name_space.empty();
    if (!of_object && !said.is_the_pods()) continue;
    said.api_server = cluster.api_server;
    if (said.token_file.empty()) said.token_file = cluster.token_file;
    if (said.ca_file.empty()) said.ca_file = cluster.ca_file;
  }
}

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
