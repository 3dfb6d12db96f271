// What `check` prints is itself a right configuration, and means the same.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/schema.h"
#include "config/test_support.h"

namespace trunkline::config {
namespace {

/// Every key of the schema that this version takes, none with its default.
const std::string everything = R"(
listeners:
- name: main
  address: '[::]:6432'
  tls:
    mode: allow
    certificates:
    - {certFile: /c/a.crt, keyFile: /c/a.key, serverNames: ['*.Example.org', b.example.org]}
    - {certFile: /c/b.crt, keyFile: /c/b.key}
    clientCaFile: /c/ca.crt
    clientCertificate: request
    minVersion: '1.3'
  proxyProtocol: {trustedSources: [10.0.0.0/8, '2001:db8::/32']}
  maxSessions: 7
  loginTimeout: 1500ms
  maxHalfOpenLogins: 8
  maxHalfOpenLoginsPerSource: 9
routes:
- name: query
  match: {listener: [main], serverName: x, database: [a, 'b*'], user: 'u?', source: 10.1.0.0/16}
  upstream: far
  target: preferReplica
  database: app_main
  pooling: transaction
  onUnsafe: refuse
  auth: {method: scram, query: {sql: 'SELECT f($1)', user: asker, passwordFile: /c/pw, database: app}}
  credentials:
    user: app
    passwordFile: /c/app
    principals: [{principal: [alice, "*@dba"], user: dba, passwordFile: /c/dba}, {principal: bob, user: bob}]
    principalAs: setting
  settings: {statement_timeout: 30s, app.name: "a \"quoted\" ${LITERAL} name", empty: ''}
  limits: {maxSessions: 3, maxSessionsPerPrincipal: 2, idleTimeout: 1h, transactionTimeout: 5m, sessionTimeout: 8h}
- name: file
  upstream: near
  auth: {method: scram, verifierFile: /c/verifiers}
  credentials:
    ephemeral: {user: maker, passwordFile: /c/maker, memberOf: [readers, writers], prefix: tmp_, reassignTo: owner, database: app}
- name: certs
  match: {listener: main}
  upstream: near
  auth:
    method: cert
    certificate: {map: [{match: '*'}, {from: uri, match: 'spiffe://*/*', principal: '$2'}]}
    disconnectExpired: true
    userMap: [{principal: ['*@a'], group: [dba], user: ['$1', 'app_*']}]
- name: tokens
  upstream: near
  auth:
    method: jwt
    jwt:
      issuer: https://idp.example.org
      audience: [db, other]
      principalClaim: email
      groupsClaim: realm.roles
      jwksUri: https://idp.example.org/keys
      caFile: /c/idp-ca
      algorithms: [ES256]
      clockSkew: 5s
      offer: oauthbearer
      scope: 'openid db'
- name: pods
  upstream: near
  auth:
    method: kubernetes
    kubernetes:
      apiServer: https://kubernetes.default.svc
      authorization: {namespace: prod, name: orders, graceTime: 5m}
      tokenFile: /c/own-token
      caFile: /c/k8s-ca
      audience: db
      offline: {issuer: 'https://k8s.example.org', jwksFile: /c/k8s-jwks}
upstreams:
- name: far
  endpoints: ['db-0.example.org:5432', '[2001:db8::1]:5433']
  discovery: {dns: {name: db.example.org, port: 5434}, resolver: '[::1]:5353'}
  health: {interval: 3s, timeout: 500ms, user: watch, passwordFile: /c/health, database: watched, maxReplicaLag: 10s, slowStart: 20s}
  zones:
  - {name: a, endpoints: ['10.0.1.*', db-0.*]}
  - {name: b, endpoints: '[2001:db8:*'}
  pool: {size: 7, minIdle: 2, maxConnections: 70, perUser: 9, maxLifetime: 2h, idleTimeout: 5m, maxLogins: 5, maxWait: 6s}
  failover: {hold: 45s}
  tls: {mode: verify-ca, caFile: /c/ca, certFile: /c/crt, keyFile: /c/key, direct: true, sameCertificate: true}
  connectTimeout: 3s
  proxyProtocol: off
  allowCleartextPassword: true
- {name: near, endpoints: ['unix:/run/pg/.s.PGSQL.5432'], discovery: {resolver: '10.0.0.10:53'}, health: {}}
- {name: found, discovery: {srv: {name: _postgresql._tcp.example.org}}, proxyProtocol: v2}
- {name: served, discovery: {kubernetes: {namespace: prod, service: db, port: postgres, serverName: db.example.org}}}
- name: run
  discovery:
    kubernetes:
      namespace: prod
      cluster: {operator: cloudnative-pg, name: db}
      caSecret: {}
keepalive: {idle: 1m, interval: 20s, probes: 5, userTimeout: 45s}
workers: 3
zone: a
drain: {delay: 7s, grace: 90s}
audit:
  sinks: [{path: /c/audit, segmentSize: 1MiB, segmentAge: 1h}, {type: stdout}]
  queryText: false
  parameters: 'off'
  onFailure: continue
tracing: {endpoint: 'https://collector:4318/v1/traces', caFile: /ca.crt}
replicas:
  number: 4
  keyFile: /c/replicas
  peers: {endpoints: ['gw-1:6432'], dns: {name: gw.example.org, port: 6433}, resolver: '10.0.0.11:53'}
  tls: {mode: verify-full, caFile: /c/r-ca, certFile: /c/r-crt, keyFile: /c/r-key}
access:
  store: /c/access
  administrators: [security]
  webhooks: [{url: 'https://hooks.example.org', secretFile: /c/hook, format: slack}, {urlFile: /c/url}]
  policies:
  - name: night
    subjects: {user: ['*@a'], group: dba, serviceAccount: 'prod/*', spiffe: 'spiffe://a/*'}
    objects: {route: [tokens, pods], database: [a, 'b*']}
    source: 10.0.0.0/8
    hours: {days: [fri-sun], from: '22:00', until: '06:30', timeZone: Europe/Berlin}
    level: read
    role: reader
    denied: [ddl, unqualifiedWrite]
    replication: true
    maxLength: 8h
    settings: {work_mem: 64MB}
    limits: {rows: 1000, bytes: 10MiB}
    approval: {anyOf: [dba], allOf: [x, y], count: 2, breakGlass: [sre], reason: false, wait: 10m}
  - {name: rest, effect: deny, subjects: {user: '*'}}
kubernetes: {apiServer: 'https://10.0.0.1', tokenFile: /c/k8s-token, caFile: /c/api-ca}
admin: {address: '[::]:9631', status: '0.0.0.0:9632', tokensFile: /c/tokens, jwt: {issuer: 'https://idp', audience: gateway, groupsClaim: groups, jwksFile: /c/admin-keys, algorithms: [ES256]}, console: {users: [ops, 'metrics-*'], readers: [stats], verifierFile: /c/console}}
)";

/// The keys that stand in the place of others there.
const std::string everything_in_kubernetes = R"(
listeners: [{name: main, address: 'unix:/run/t'}]
routes:
- name: query
  upstream: far
  auth: {method: scram, query: {user: asker, passwordSecret: {namespace: n, name: asker}}}
  credentials: {user: app, passwordSecret: {namespace: n, name: app, key: pw}, principals: [{principal: a, user: b, passwordSecret: {namespace: n, name: b}}]}
- name: users
  match: {user: a}
  upstream: far
  auth: {method: scram, verifierSecret: {namespace: n, name: users}}
  credentials: {ephemeral: {user: maker, passwordSecret: {namespace: n, name: maker}}}
upstreams:
- name: far
  allowedNamespaces: [team, 'shop-*']
  endpoints: ['db:1']
  health: {user: watch, passwordSecret: {namespace: n, name: watch}}
  tls: {caSecret: {namespace: n, name: ca, key: root.pem}, certSecret: {namespace: n, name: me}}
kubernetes: {gateway: edge, namespace: gateways, objects: {namespaces: [team, shop], selector: 'a=b,!c'}, requests: true, events: false}
admin: {jwt: {issuer: 'https://idp', audience: gateway, caSecret: {namespace: n, name: idp}}}
)";

settings load_all(const std::string& text) {
  const auto made = load_text(text, "t", without_files({{"LITERAL", "$${x}"}}));
  EXPECT_THAT(made.problems, testing::IsEmpty()) << made.problems.front().render();
  return made.value ? *made.value : settings{};
}

settings load_everything() {
  return load_all(everything);
}

TEST(Render, IsReadBackAsTheSame) {
  for (const auto& written : {everything, everything_in_kubernetes,
                              std::string("listeners: [{name: l, address: "
                                          "'unix:/l'}]\nkubernetes: {objects: {}}\n")}) {
    const auto first = load_all(written);
    const auto text = render_yaml(first);
    const auto again = load_text(text, "t", without_files());
    ASSERT_TRUE(again.value) << again.problems.front().render() << '\n' << text;
    EXPECT_TRUE(*again.value == first) << text;
  }
}

TEST(Render, LeavesOutNoKey) {
  settings value = load_everything();
  value.kubernetes.kubeconfig_file = "/c/kubeconfig";  // it has what stands beside it here
  value.kubernetes.context = "prod";
  const auto text = render_yaml(value) + render_yaml(load_all(everything_in_kubernetes));
  for (const auto& key : schema()) {
    if (key.kind == value_kind::later || key.kind == value_kind::secret) continue;
    EXPECT_THAT(text, testing::HasSubstr(std::string(key.leaf()) + ":")) << key.path;
  }
}

TEST(Render, SaysTheSameInJson) {
  const auto json = render_json(load_everything());
  for (
      const char* part :
      {R"({"listeners":[{"name":"main","address":"[::]:6432","tls":{"mode":"allow","certificates":[{"certFile":)",
       R"("minVersion":"1.3")", R"("maxSessions":7,"loginTimeout":"1500ms")",
       R"("match":{"listener":["main"])", R"("app.name":"a \"quoted\" $${x} name")", R"("direct":true)",
       R"("workers":3,"zone":"a")", R"("target":"preferReplica","database":"app_main")",
       R"("discovery":{"dns":{"name":"db.example.org","port":5434},"resolver":"[::1]:5353"})",
       R"("health":{"interval":"3s","timeout":"500ms","user":"watch","passwordFile":"/c/health",)",
       R"("zones":[{"name":"a","endpoints":["10.0.1.*","db-0.*"]},)",
       R"("pool":{"size":7,"minIdle":2,"maxConnections":70,"perUser":9,"maxLifetime":"2h","idleTimeout":"5m","maxLogins":5,"maxWait":"6s"},"failover":{"hold":"45s"})",
       R"({"name":"found","discovery":{"srv":{"name":"_postgresql._tcp.example.org"}},"pool")",
       R"("discovery":{"kubernetes":{"namespace":"prod","service":"db","port":"postgres","serverName":)",
       R"("cluster":{"operator":"cloudnative-pg","name":"db"},"caSecret":{"name":"db-ca","key":"ca.crt"})",
       R"("kubernetes":{"apiServer":"https://10.0.0.1","tokenFile":"/c/k8s-token","caFile":"/c/api-ca"})",
       R"("admin":{"address":"[::]:9631",)"}) {
    EXPECT_THAT(json, testing::HasSubstr(part));
  }
  settings value = load_everything();
  value.routes[0].login->usual.password_file.clear();
  value.routes[0].login->usual.password = secret_text("hunter2");
  EXPECT_THAT(render_json(value), testing::HasSubstr(R"("user":"app","password":"<redacted>")"));
  EXPECT_THAT(render_json(value), testing::Not(testing::HasSubstr("hunter2")));
}

TEST(Render, ShowsNoMoreOfAWebhookThanItsHost) {
  settings value = load_everything();
  value.access.webhooks[0].url = secret_text("https://u:p@hooks.slack.com:8443/services/T0/B0/XyZ?k=1");
  EXPECT_THAT(render_json(value), testing::HasSubstr(R"("url":"https://hooks.slack.com:8443/<redacted>")"));
  for (const char* part : {"XyZ", "u:p", "k=1"})
    EXPECT_THAT(render_yaml(value), testing::Not(testing::HasSubstr(part)));
}

TEST(Render, NamesEveryFileForTheWatch) {
  EXPECT_THAT(
      referenced_files(load_everything()),
      testing::ElementsAre(testing::EndsWith("/t"), "/c/a.crt", "/c/a.key", "/c/b.crt", "/c/b.key",
                           "/c/ca.crt", "/c/pw", "/c/app", "/c/dba", "/c/verifiers", "/c/maker", "/c/idp-ca",
                           "/c/k8s-ca", "/c/k8s-jwks", "/c/ca", "/c/crt", "/c/key", "/c/health",
                           "/c/replicas", "/c/r-ca", "/c/r-crt", "/c/r-key", "/c/hook", "/c/url", "/c/tokens",
                           "/c/admin-keys", "/c/console", "/ca.crt", "/c/api-ca"));
}

TEST(Render, KeepsTheTlsOfAHealthCheckWhoseClientsPassThrough) {
  const auto text = [](const std::string& health) {
    return sample{.listener = "{name: main, address: '0.0.0.0:1', tls: {mode: passthrough}}",
                  .upstream = "{name: db, endpoints: ['db:1'], tls: {mode: require}" + health + "}"}
        .text();
  };
  const auto asked = load_text(text(", health: {}"), "t", without_files());
  ASSERT_TRUE(asked.value) << asked.problems.front().render();
  EXPECT_THAT(asked.warnings, testing::IsEmpty());
  const auto again = load_text(render_yaml(*asked.value), "t", without_files());
  ASSERT_TRUE(again.value) << again.problems.front().render();
  EXPECT_TRUE(*again.value == *asked.value) << render_yaml(*again.value);
  const auto silent = load_text(text(""), "t", without_files());
  EXPECT_THAT(render_yaml(*silent.value), testing::Not(testing::HasSubstr("mode: require")));
}

RC_GTEST_PROP(Render, AnyValueOfASettingSurvives, ()) {
  const auto bytes = *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  settings value = load_everything();
  value.routes[0].parameters = {{"a.b", bytes}};
  const auto text = render_yaml(value);
  const auto again = load_text(text, "t", without_files());
  RC_ASSERT(again.value != nullptr);
  RC_ASSERT(again.value->routes[0].parameters == value.routes[0].parameters);
}

}  // namespace
}  // namespace trunkline::config
