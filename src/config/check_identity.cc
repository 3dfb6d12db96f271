// What `routes[].auth` says of certificates, tokens and service accounts: whether it can work.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "config/checks.h"
#include "config/name_pattern.h"
#include "config/values.h"

namespace trunkline::config {

namespace {

constexpr std::array<std::string_view, 9> known_algorithms{"RS256", "RS384", "RS512", "PS256", "PS384",
                                                           "PS512", "ES256", "ES384", "ES512"};

struct key_place {
  const check_input& in;
  std::string key;  ///< "routes[0].auth"

  void problem(std::string_view leaf, std::string text, std::string expected) const {
    in.problem(key + std::string(leaf), std::move(text), std::move(expected));
  }
};

struct identity_route : key_place {
  const route& self;
  const std::vector<std::size_t>& listeners;

  const listener& from(std::size_t i) const { return in.value.listeners[listeners[i]]; }
};

bool is_https(std::string_view url) {
  return url.starts_with("https://");
}

void check_url(const key_place& route, std::string_view leaf, const std::string& url) {
  if (url.empty() || is_https(url) || is_loopback_url(url)) return;
  route.problem(leaf, "could be changed by whoever is on the way", "https://, or http:// on loopback");
}

void check_keys(const key_place& route, const std::string& leaf, const issuer_keys& keys) {
  if (!route.in.state.sound(route.key + leaf)) return;
  // With keys from a file nothing is fetched from the issuer, and its name is only compared.
  if (keys.are_fetched() && keys.jwks_uri.empty()) check_url(route, leaf + ".issuer", keys.issuer);
  check_url(route, leaf + ".jwksUri", keys.jwks_uri);
  if (!keys.jwks_file.empty() && !keys.jwks_uri.empty())
    route.problem(leaf + ".jwksUri", "stands beside jwksFile; only one can hold the keys", "one of the two");
  const bool with_tls = keys.are_fetched() && is_https(keys.jwks_uri.empty() ? keys.issuer : keys.jwks_uri);
  if (!keys.ca_file.empty() && !with_tls)
    route.problem(leaf + ".caFile", "means nothing without https", "an https:// address, or no caFile");
}

void check_principal_pattern(const identity_route& route, const std::string& leaf, std::string_view text,
                             std::size_t parts) {
  const auto highest = highest_part(text);
  if (!highest) {
    route.problem(leaf, quote(text) + " has a `$` that names no part", "$0 to $9, or $$ for a dollar sign");
  } else if (*highest > parts) {
    route.problem(leaf, fmt::format("{} names part {} of {}", quote(text), *highest, parts),
                  "no more parts than there are `*`");
  }
}

void check_certificate(const identity_route& route) {
  const auto asks = [](const listener& from) {
    return from.tls.client_certificates != client_certificate::none;
  };
  std::size_t asking = 0;
  for (std::size_t i = 0; i < route.listeners.size(); ++i)
    asking += asks(route.from(i)) ? 1 : 0;
  if (asking == 0 && !route.listeners.empty()) {
    route.problem(".method", "cert, but none of its listeners asks clients for a certificate",
                  "tls.clientCertificate: require on the listener, or request");
  }
  for (std::size_t i = 0; i < route.listeners.size() && asking > 0; ++i) {
    if (asks(route.from(i))) continue;
    route.in.warn(route.key + ".method",
                  fmt::format("clients of listener `{}` are not asked for a certificate and can never log in",
                              route.from(i).name),
                  "match.listener to leave it out, or tls.clientCertificate there");
  }
  if (!route.self.auth.certificate) return;
  const auto& map = route.self.auth.certificate->map;
  for (std::size_t i = 0; i < map.size(); ++i) {
    check_principal_pattern(route, fmt::format(".certificate.map[{}].principal", i), map[i].principal,
                            parts_of(map[i].match));
  }
}

/// A token is as good as a password: whoever reads it has it.
void check_token_road(const identity_route& route) {
  for (std::size_t i = 0; i < route.listeners.size(); ++i) {
    const auto& from = route.from(i);
    const bool near = from.address.is_local() && !from.speaks_proxy_protocol();
    if (near || from.tls.mode == listener_tls_mode::require) continue;
    if (from.tls.mode == listener_tls_mode::disable) {
      route.problem(".method",
                    fmt::format("takes tokens over TLS only, and listener `{}` at {} has none", from.name,
                                from.address.text()),
                    "tls.mode: require there, or match.listener to leave it out");
    } else if (from.tls.mode == listener_tls_mode::allow) {
      route.in.warn(route.key + ".method",
                    fmt::format("takes tokens over TLS only: clients that come to listener `{}` without it "
                                "are refused",
                                from.name),
                    "tls.mode: require there");
    }
  }
}

void check_tokens(const key_place& at, const jwt_auth& jwt) {
  check_keys(at, ".jwt", jwt.keys);
  for (const auto& each : jwt.algorithms) {
    if (std::find(known_algorithms.begin(), known_algorithms.end(), each) != known_algorithms.end()) continue;
    at.problem(".jwt.algorithms", quote(each) + " is not a signature that counts",
               enumerate({known_algorithms.begin(), known_algorithms.end()}));
  }
}

void check_jwt(const identity_route& route) {
  check_token_road(route);
  if (!route.self.auth.jwt) {
    if (route.in.state.sound(route.key))
      route.problem("", "method jwt has no issuer to believe", "jwt: {issuer: …, audience: …}");
    return;
  }
  check_tokens(route, *route.self.auth.jwt);
}

void check_authorization(const identity_route& route, const kubernetes_auth& said) {
  const std::string at = ".kubernetes.authorization";
  if (said.api_server.empty() && said.offline) route.problem(at, "has nobody to ask", "apiServer");
  check_rbac_object(route.in, route.key + at, *said.authorization);
}

void check_kubernetes(const identity_route& route) {
  check_token_road(route);
  if (!route.self.auth.kubernetes) {
    if (route.in.state.sound(route.key))
      route.problem("", "method kubernetes has nobody to ask",
                    "kubernetes: {apiServer: …, tokenFile: …, audience: …}");
    return;
  }
  const auto& said = *route.self.auth.kubernetes;
  if (!route.in.state.sound(route.key + ".kubernetes")) return;
  if (said.is_the_pods() && !route.in.value.kubernetes.kubeconfig_file.empty())
    route.problem(".kubernetes", "names no API server, and a kubeconfig is not used for clients' tokens",
                  "apiServer, offline or both");
  // Of the file, that shows at the start; one object must not be in the way of everything else.
  if (said.is_the_pods() && !route.self.name_space.empty())
    route.problem(".kubernetes", "names neither an API server nor an issuer", "apiServer, offline or both");
  if (said.authorization) check_authorization(route, said);
  if (!said.api_server.empty() && said.token_file.empty())
    route.problem(".kubernetes", "has no token of the gateway's own, without which nobody may ask",
                  "tokenFile");
  check_url(route, ".kubernetes.apiServer", said.api_server);
  if (!said.ca_file.empty() && !said.is_the_pods() && !is_https(said.api_server))
    route.problem(".kubernetes.caFile", "means nothing without https", "an https:// apiServer, or no caFile");
  if (said.offline) check_keys(route, ".kubernetes.offline", *said.offline);
}

void check_user_map(const identity_route& route) {
  const auto& map = route.self.auth.user_map;
  for (std::size_t i = 0; i < map.size(); ++i) {
    std::size_t parts = 9;
    for (const auto& each : map[i].principals)
      parts = std::min(parts, parts_of(each));
    if (map[i].principals.empty()) parts = 0;
    for (const auto& each : map[i].users) {
      if (has_parts(each)) check_principal_pattern(route, fmt::format(".userMap[{}].user", i), each, parts);
    }
  }
}

void check_foreign_keys(const identity_route& route) {
  const auto& auth = route.self.auth;
  const auto refuse = [&](bool there, auth_method wants, std::string_view leaf) {
    if (!there || auth.method == wants) return;
    route.problem(leaf, fmt::format("has no use with method {}", name_of(auth_methods, auth.method)),
                  fmt::format("method: {}", name_of(auth_methods, wants)));
  };
  refuse(auth.certificate.has_value(), auth_method::cert, ".certificate");
  refuse(auth.jwt.has_value(), auth_method::jwt, ".jwt");
  refuse(auth.kubernetes.has_value(), auth_method::kubernetes, ".kubernetes");
  if (auth.disconnect_expired && !tells_identity(auth.method)) {
    route.problem(".disconnectExpired",
                  fmt::format("has no use with method {}", name_of(auth_methods, auth.method)),
                  "method: cert, jwt or kubernetes");
  }
  if (!auth.user_map.empty() && !tells_identity(auth.method)) {
    route.problem(".userMap", fmt::format("has no use with method {}", name_of(auth_methods, auth.method)),
                  "method: cert, jwt or kubernetes");
  }
}

}  // namespace

void check_identity(const check_input& in, std::size_t index, const std::vector<std::size_t>& listeners) {
  const identity_route route{{in, fmt::format("routes[{}].auth", index)}, in.value.routes[index], listeners};
  check_foreign_keys(route);
  if (!tells_identity(route.self.auth.method)) return;
  if (route.self.auth.method == auth_method::cert) check_certificate(route);
  if (route.self.auth.method == auth_method::jwt) check_jwt(route);
  if (route.self.auth.method == auth_method::kubernetes) check_kubernetes(route);
  check_user_map(route);
}

void check_admin_tokens(const check_input& in) {
  const auto& admin = in.value.admin;
  if (admin.jwt) check_tokens({in, "admin"}, *admin.jwt);
}

void check_issuers(const check_input& in) {
  std::set<std::string_view> known;
  if (in.value.admin.jwt) known.insert(in.value.admin.jwt->keys.issuer);
  std::size_t of_file = known.size();
  for (std::size_t i = 0; i < in.value.routes.size(); ++i) {
    const auto& each = in.value.routes[i];
    if (each.auth.jwt) known.insert(each.auth.jwt->keys.issuer);
    if (each.auth.kubernetes) known.insert(each.auth.kubernetes->api_server);
    if (each.auth.kubernetes && each.auth.kubernetes->offline)
      known.insert(each.auth.kubernetes->offline->issuer);
    if (each.name_space.empty()) of_file = known.size();
    if (each.name_space.empty() || known.size() <= limits::issuers || of_file > limits::issuers) continue;
    in.problem(fmt::format("routes[{}].auth", i), "names an issuer or API server that is one too many",
               fmt::format("at most {} of all routes", limits::issuers));
  }
  if (of_file <= limits::issuers) return;
  in.problem("routes", fmt::format("name {} different issuers and API servers", of_file),
             fmt::format("at most {}", limits::issuers));
}

}  // namespace trunkline::config
