// What is said of Kubernetes in a configuration, and what is wrong with it.
#include "config/test_support.h"

namespace trunkline::config {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> with_discovery(const std::string& keys, const std::string& rest = "") {
  return problems_of(
      sample{.upstream = "{name: db, discovery: {kubernetes: {" + keys + "}}" + rest + "}"}.text());
}

std::vector<std::string> with_access(const std::string& keys) {
  return problems_of(sample{.rest = "kubernetes: {" + keys + "}\n"}.text());
}

kubernetes_discovery found(const std::string& keys) {
  const auto made = load_text(
      sample{.upstream = "{name: db, discovery: {kubernetes: {" + keys + "}}}"}.text(), "t", without_files());
  EXPECT_TRUE(made.value) << made.problems.front().render();
  EXPECT_EQ(made.value->upstreams[0].found.kind, discovery_kind::kubernetes);
  return made.value->upstreams[0].found.in_kubernetes;
}

TEST(KubernetesConfig, AServiceOrACluster) {
  EXPECT_EQ(found("namespace: prod, service: db"),
            (kubernetes_discovery{.name_space = "prod", .service = "db"}));
  const auto cluster = found("namespace: prod, cluster: {operator: cloudnative-pg, name: db}, caSecret: {}");
  EXPECT_EQ(cluster.run_by, kubernetes_operator::cloudnative_pg);
  EXPECT_EQ(cluster.ca_secret, "db-ca");
  EXPECT_EQ(cluster.ca_key, "ca.crt");
  EXPECT_EQ(found("namespace: p, cluster: {operator: crunchy, name: db}, caSecret: {}").ca_secret,
            "db-cluster-cert");
  EXPECT_THAT(with_discovery("namespace: prod"),
              ElementsAre("6:38: upstreams[0].discovery.kubernetes: does not say whose endpoints (expected "
                          "service, or cluster)"));
  EXPECT_THAT(with_discovery("service: db"), ElementsAre(HasSubstr("kubernetes.namespace: is missing")));
  EXPECT_THAT(with_discovery("namespace: p, service: a, cluster: {operator: zalando, name: b}"),
              ElementsAre(HasSubstr("has both service and cluster")));
  EXPECT_THAT(with_discovery("namespace: p, cluster: {operator: stackgres, name: b}"),
              ElementsAre(HasSubstr("expected cloudnative-pg, zalando or crunchy")));
  EXPECT_THAT(
      problems_of(sample{.upstream = "{name: db, discovery: {dns: {name: a}, kubernetes: {namespace: p, "
                                     "service: a}}}"}
                      .text()),
      ElementsAre(HasSubstr("has both kubernetes and the DNS")));
}

TEST(KubernetesConfig, TheNamesOfAClustersServicesCanBe) {
  const auto named = [](const std::string& by, std::size_t bytes) {
    return with_discovery("namespace: p, cluster: {operator: " + by + ", name: " + std::string(bytes, 'a') +
                          "}");
  };
  for (const auto& [by, most] :
       {std::pair("cloudnative-pg", 60U), std::pair("zalando", 58U), std::pair("crunchy", 54U)}) {
    EXPECT_THAT(named(by, most), IsEmpty()) << by;
    EXPECT_THAT(named(by, most + 1), ElementsAre(HasSubstr(fmt::format("at most {} characters", most))))
        << by;
    EXPECT_THAT(named(by, 64), ElementsAre(HasSubstr("is no name of an object"))) << by;
  }
}

TEST(KubernetesConfig, NamesBecomePaths) {
  for (const char* bad : {"Prod", "a/b", "-a", "a-", "..", "a.b", "a%2f"}) {
    EXPECT_THAT(with_discovery("namespace: '" + std::string(bad) + "', service: db"),
                ElementsAre(HasSubstr("is no name of an object")))
        << bad;
    EXPECT_THAT(with_discovery("namespace: p, service: '" + std::string(bad) + "'"),
                ElementsAre(HasSubstr("is no name of an object")))
        << bad;
  }
  EXPECT_THAT(with_discovery("namespace: p, service: a, caSecret: {name: '../x'}"),
              ElementsAre(HasSubstr("caSecret.name")));
  EXPECT_THAT(with_discovery("namespace: p, service: a, caSecret: {name: x.y}"), IsEmpty());
}

TEST(KubernetesConfig, Ports) {
  for (const char* good : {"5432", "postgres", "tcp-pg"})
    EXPECT_EQ(found("namespace: p, service: a, port: " + std::string(good)).port, good);
  for (const char* bad : {"0", "65536", "99999999999", "'a b'", "Postgres"})
    EXPECT_THAT(with_discovery("namespace: p, service: a, port: " + std::string(bad)),
                ElementsAre(HasSubstr("is no port")))
        << bad;
}

TEST(KubernetesConfig, OneSaysWhoSignsCertificates) {
  EXPECT_THAT(with_discovery("namespace: p, service: a, caSecret: {}"),
              ElementsAre(HasSubstr("caSecret.name: is missing")));
  EXPECT_THAT(with_discovery("namespace: p, cluster: {operator: zalando, name: b}, caSecret: {}"),
              ElementsAre(HasSubstr("caSecret.name: is missing")));
  const std::string said = "namespace: p, service: a, caSecret: {name: x}";
  EXPECT_THAT(with_discovery(said, ", tls: {mode: verify-ca}"), IsEmpty());
  EXPECT_THAT(with_discovery(said, ", tls: {mode: require}"), ElementsAre(HasSubstr("is not used with")));
  EXPECT_THAT(with_discovery(said, ", tls: {caFile: /x}"), ElementsAre(HasSubstr("and so does tls.caFile")));
}

TEST(KubernetesConfig, TheApiServer) {
  EXPECT_THAT(with_access("apiServer: 'https://10.0.0.1:6443', tokenFile: /t, caFile: /c"), IsEmpty());
  EXPECT_THAT(with_access("kubeconfigFile: /k, context: prod"), IsEmpty());
  EXPECT_THAT(with_access("kubeconfigFile: /k, tokenFile: /t"),
              ElementsAre(HasSubstr("has a kubeconfig beside")));
  EXPECT_THAT(with_access("context: prod"),
              ElementsAre(HasSubstr("7:23: kubernetes.context: is of no kubeconfig")));
  EXPECT_THAT(with_access("apiServer: 'http://10.0.0.1'"), ElementsAre(HasSubstr("in clear")));
  EXPECT_THAT(with_access("apiServer: 'http://127.0.0.1:8001'"), IsEmpty());
}

TEST(KubernetesConfig, WhatIsKeptThere) {
  for (const char* good :
       {"gateway: edge-1", "namespace: gateways, objects: {}", "objects: {namespaces: '*'}, events: false",
        "objects: {namespaces: [a, b-c], selector: 'team in (x,y),!z,app.io/part=db'}, requests: true"})
    EXPECT_THAT(with_access(good), IsEmpty()) << good;
  const std::pair<const char*, const char*> bad[] = {
      {"gateway: Edge", "kubernetes.gateway: `Edge` is no part of an object's name"},
      {"gateway: a.b", "kubernetes.gateway"},
      {"gateway: a234567890b234567890c234567890d234567890e2345678901", "at most 50"},
      {"namespace: a/b", "kubernetes.namespace: `a/b` is no name of an object"},
      {"objects: {namespaces: 'a*'}", "kubernetes.objects.namespaces: `a*` is no name of an object"},
      {"objects: {selector: 'a&b'}", "kubernetes.objects.selector: `a&b` is no selector of labels"},
      {"objects: true", "kubernetes.objects: is a single value"},
      {"requests: yes", "kubernetes.requests: `yes` is neither true nor false"},
  };
  for (const auto& [said, text] : bad)
    EXPECT_THAT(with_access(said), ElementsAre(HasSubstr(text))) << said;
}

TEST(KubernetesConfig, RequestsAreInOnePlace) {
  EXPECT_THAT(with_rest("access: {store: /s}\nkubernetes: {requests: true}\n"),
              ElementsAre(HasSubstr(
                  "kubernetes.requests: keeps requests in Kubernetes, and access.store in a file")));
  EXPECT_THAT(
      with_rest("kubernetes: {requests: true}\naccess: {policies: [{name: p, subjects: {user: a}, approval: "
                "{anyOf: b}}]}\n"),
      IsEmpty());
}

TEST(KubernetesConfig, WhoAnswersRequestsThereNeedsNoTokenHere) {
  const std::string asks = "policies: [{name: p, subjects: {user: a}, approval: {anyOf: b}}]";
  const auto nobody = HasSubstr("`p` wants an approval, and nobody can give one");
  EXPECT_THAT(warnings_of(sample{.rest = "access: {store: /s, " + asks + "}\n"}.text()), Contains(nobody));
  EXPECT_THAT(warnings_of(sample{.rest = "kubernetes: {requests: true}\naccess: {" + asks + "}\n"}.text()),
              Not(Contains(nobody)));
}

TEST(KubernetesConfig, ConsentIsForObjects) {
  const std::string upstream = "{name: db, endpoints: ['unix:/s'], allowedNamespaces: [team]}";
  EXPECT_THAT(warnings_of(sample{.upstream = upstream}.text()),
              ElementsAre(HasSubstr("upstreams[0].allowedNamespaces: has no use: no route is an object")));
  EXPECT_THAT(warnings_of(sample{.upstream = upstream, .rest = "kubernetes: {objects: {}}\n"}.text()),
              IsEmpty());
}

}  // namespace
}  // namespace trunkline::config
