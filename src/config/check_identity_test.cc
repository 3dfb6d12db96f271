#include "config/name_pattern.h"
#include "config/test_support.h"

namespace trunkline::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> with_auth(const std::string& auth) {
  return with_route("{name: app, upstream: db, auth: " + auth + "}");
}

std::vector<std::string> with_jwt(const std::string& more, const std::string& issuer = "https://i") {
  return with_auth("{method: jwt, jwt: {issuer: '" + issuer + "', audience: db" + more + "}}");
}

const std::string asking_listener =
    "{name: main, address: '0.0.0.0:6432', tls: {certificates: [{certFile: a.crt, keyFile: a.key}], "
    "clientCaFile: ca.crt, clientCertificate: require}}";

std::vector<std::string> with_certificate(const std::string& more) {
  return problems_of(sample{.listener = asking_listener,
                            .route = "{name: app, upstream: db, auth: {method: cert" + more + "}}"}
                         .text());
}

TEST(CheckIdentity, TakesWhatCanWork) {
  EXPECT_THAT(with_jwt(""), IsEmpty());
  EXPECT_THAT(with_jwt(", jwksFile: k"), IsEmpty());
  EXPECT_THAT(with_jwt(", jwksFile: k", "http://anywhere"), IsEmpty());
  EXPECT_THAT(with_jwt(", jwksUri: 'http://127.0.0.1:8080/k'"), IsEmpty());
  EXPECT_THAT(with_jwt("", "http://[::1]:8080/a"), IsEmpty());
  EXPECT_THAT(with_certificate(""), IsEmpty());
  EXPECT_THAT(with_certificate(", certificate: {map: [{from: uri, match: 'spiffe://a/*', principal: $1}]}"),
              IsEmpty());
  EXPECT_THAT(with_auth("{method: kubernetes, kubernetes: {apiServer: 'https://k', tokenFile: t, "
                        "audience: db, offline: {issuer: 'https://i', jwksUri: 'https://k/jwks'}}, "
                        "userMap: [{principal: 'system:serviceaccount:*:*', user: [$2, 'x_*']}]}"),
              IsEmpty());
}

TEST(CheckIdentity, AMethodNeedsItsKeysAndNoOthers) {
  EXPECT_THAT(with_auth("{method: jwt}"),
              ElementsAre("4:35: routes[0].auth: method jwt has no issuer to believe (expected jwt: {issuer: "
                          "…, audience: …})"));
  EXPECT_THAT(with_auth("{method: kubernetes}"), ElementsAre(HasSubstr("nobody to ask")));
  EXPECT_THAT(with_auth("{method: jwt, jwt: {issuer: 'https://i'}}"),
              ElementsAre(HasSubstr("routes[0].auth.jwt.audience: is missing")));
  EXPECT_THAT(with_auth("{method: scram, verifierFile: v, jwt: {issuer: 'https://i', audience: db}}"),
              ElementsAre(HasSubstr("routes[0].auth.jwt: has no use with method scram (expected method: "
                                    "jwt)")));
  EXPECT_THAT(with_auth("{userMap: [{user: a}]}"),
              ElementsAre(HasSubstr("routes[0].auth.userMap: has no use with method server")));
  EXPECT_THAT(with_auth("{method: kubernetes, kubernetes: {audience: db}}"), IsEmpty());
  EXPECT_THAT(with_auth("{method: kubernetes, kubernetes: {audience: db, apiServer: 'https://k'}}"),
              ElementsAre(HasSubstr("has no token of the gateway's own")));
}

TEST(CheckIdentity, RbacIsAskedAboutAnObjectAtAnApiServer) {
  const auto with = [](const std::string& authorization, const std::string& where) {
    return with_auth("{method: kubernetes, kubernetes: {audience: db" + where +
                     ", authorization: " + authorization + "}}");
  };
  const std::string server = ", apiServer: 'https://k', tokenFile: t";
  const std::string offline = ", offline: {issuer: 'https://i'}";
  EXPECT_THAT(with("{namespace: prod, name: app, graceTime: 5m}", server), IsEmpty());
  EXPECT_THAT(with("{namespace: prod, name: app}", ""), IsEmpty());
  EXPECT_THAT(with("{namespace: prod, name: app}", server + offline), IsEmpty());
  EXPECT_THAT(with("{namespace: prod, name: app}", offline),
              ElementsAre(HasSubstr("authorization: has nobody to ask (expected apiServer)")));
  EXPECT_THAT(with("{}", server), ElementsAre(HasSubstr("authorization.namespace: is missing"),
                                              HasSubstr("authorization.name: is missing")));
  EXPECT_THAT(with("{namespace: 'a/b', name: 'X'}", server),
              ElementsAre(HasSubstr("`a/b` is no name of an object"), HasSubstr("`X` is no name")));
  EXPECT_THAT(with("{namespace: prod, name: app, graceTime: 0s}", server),
              ElementsAre(HasSubstr("graceTime")));
}

TEST(CheckIdentity, KeysComeOverARoadThatNobodyCanChange) {
  EXPECT_THAT(with_jwt("", "http://idp.example.org"),
              ElementsAre(HasSubstr("routes[0].auth.jwt.issuer: could be changed by whoever is on the way")));
  EXPECT_THAT(with_jwt("", "http://127.0.0.1@evil.example.org"), ElementsAre(HasSubstr("on the way")));
  EXPECT_THAT(with_jwt("", "http://127.0.0.1.evil.org"), ElementsAre(HasSubstr("on the way")));
  EXPECT_THAT(with_jwt(", jwksUri: 'http://idp/k'"), ElementsAre(HasSubstr("jwksUri: could be changed")));
  EXPECT_THAT(with_jwt(", jwksFile: k, jwksUri: 'https://i/k'"), ElementsAre(HasSubstr("stands beside")));
  EXPECT_THAT(with_jwt(", jwksFile: k, caFile: c"), ElementsAre(HasSubstr("means nothing without https")));
  EXPECT_THAT(with_jwt(", algorithms: [RS256, HS256]"),
              ElementsAre(HasSubstr("jwt.algorithms: `HS256` is not a signature that counts")));
  EXPECT_THAT(with_jwt(", algorithms: none"), ElementsAre(HasSubstr("`none` is not a signature")));
}

TEST(CheckIdentity, TokensNeedTls) {
  const auto at = [](const std::string& listener) {
    return problems_of(sample{.listener = listener,
                              .route =
                                  "{name: app, upstream: db, auth: {method: jwt, jwt: {issuer: 'https://i', "
                                  "audience: db}}}"}
                           .text());
  };
  EXPECT_THAT(
      at("{name: main, address: '0.0.0.0:1', tls: {mode: disable}}"),
      ElementsAre(HasSubstr("takes tokens over TLS only, and listener `main` at 0.0.0.0:1 has none")));
  EXPECT_THAT(at("{name: main, address: '127.0.0.1:1', tls: {mode: disable}}"), IsEmpty());
  EXPECT_THAT(at("{name: main, address: '127.0.0.1:1', tls: {mode: disable}, proxyProtocol: "
                 "{trustedSources: 10.0.0.0/8}}"),
              ElementsAre(HasSubstr("takes tokens over TLS only")));
  EXPECT_THAT(at(tls_listener), IsEmpty());
}

TEST(CheckIdentity, CertificatesMustBeAskedFor) {
  EXPECT_THAT(
      problems_of(sample{.listener = tls_listener, .route = "{name: app, upstream: db, auth: {method: cert}}"}
                      .text()),
      ElementsAre(HasSubstr("none of its listeners asks clients for a certificate")));
}

TEST(CheckIdentity, PartsMustBeThere) {
  EXPECT_THAT(with_certificate(", certificate: {map: [{match: 'a*', principal: $2}]}"),
              ElementsAre(HasSubstr("certificate.map[0].principal: `$2` names part 2 of 1")));
  EXPECT_THAT(with_certificate(", certificate: {map: [{match: 'a*', principal: 'a$'}]}"),
              ElementsAre(HasSubstr("has a `$` that names no part")));
  EXPECT_THAT(with_certificate(", userMap: [{principal: ['*@a', b], user: $1}]"),
              ElementsAre(HasSubstr("userMap[0].user: `$1` names part 1 of 0")));
  EXPECT_THAT(with_certificate(", userMap: [{user: $0}]"), IsEmpty());
}

TEST(CheckIdentity, CountsIssuers) {
  std::string routes;
  for (std::size_t i = 0; i <= limits::issuers; ++i)
    routes += fmt::format(
        "- {{name: r{}, upstream: db, auth: {{method: jwt, jwt: {{issuer: 'https://i{}', "
        "audience: db}}}}}}\n",
        i, i);
  const auto text = fmt::format(
      "listeners:\n- {{name: main, address: 'unix:/run/t.sock'}}\nroutes:\n{}upstreams:\n- {{name: db, "
      "endpoints: ['db:1']}}\n",
      routes);
  EXPECT_THAT(problems_of(text), ElementsAre(HasSubstr("name 65 different issuers")));
}

}  // namespace
}  // namespace trunkline::config
