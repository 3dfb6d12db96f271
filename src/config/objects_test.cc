// Objects of Kubernetes beside a file: what becomes of them, one by one, and that the file stays what it is.
#include "config/objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "base/limits_kubernetes.h"
#include "config/json_tree.h"
#include "config/schema.h"
#include "config/test_support.h"

namespace trunkline::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using why = object_verdict::reason;

const std::string gateway =
    "listeners: [{name: main, address: '0.0.0.0:6432', tls: {certificates: [{certFile: a, keyFile: b}]}}, "
    "{name: sni, address: '0.0.0.0:6433', tls: {mode: passthrough}}]\n"
    "kubernetes: {objects: {namespaces: ['*']}}\n";

config_object object(object_kind kind, const std::string& name, const std::string& spec, int created = 0) {
  const auto slash = name.find('/');
  const auto read = nlohmann::json::parse(spec, nullptr, false);
  EXPECT_FALSE(read.is_discarded()) << spec;
  auto tree = tree_of(read);
  EXPECT_TRUE(tree) << spec;
  return {.kind = kind,
          .name_space = name.substr(0, slash),
          .name = name.substr(slash + 1),
          .uid = "uid-of-" + name,
          .generation = 3,
          .created_seconds = created,
          .spec = tree ? *tree : nullptr};
}
config_object upstream_object(const std::string& name,
                              const std::string& spec = R"({"endpoints": ["db:5432"]})") {
  return object(object_kind::upstream, name, spec);
}
config_object route_object(const std::string& name, const std::string& more = "", int created = 0) {
  return object(
      object_kind::route, name,
      R"({"upstream": "db", "match": {"listener": ["main"]}, "auth": {"method": "scram", "query": {"user": "a"}}, )"
      R"("credentials": {"user": "app"})" +
          (more.empty() ? "" : ", " + more) + "}",
      created);
}
config_object policy_object(const std::string& name,
                            const std::string& spec = R"({"subjects": {"user": ["a"]}})") {
  return object(object_kind::policy, name, spec);
}
/// So that no two routes have the same match. Of two equal keys JSON keeps the last.
std::string database(const std::string& name) {
  return R"("match": {"listener": ["main"], "database": [")" + name + "\"]}";
}

struct outcome {
  combined made;

  outcome(const std::vector<config_object>& objects, const std::string& file = gateway,
          const load_options& options = without_files())
      : made(load_text_with(file, "t", objects, options)) {}

  const settings& value() const {
    if (!made.all.value) throw std::runtime_error(made.all.problems.front().render());
    return *made.all.value;
  }
  std::vector<std::string> routes() const {
    std::vector<std::string> names;
    for (const auto& each : value().routes)
      names.push_back(each.name);
    return names;
  }
  /// "RefNotFound ns/name: message"
  std::vector<std::string> refused() const {
    std::vector<std::string> list;
    for (const auto& each : made.verdicts)
      if (!each.accepted())
        list.push_back(std::string(reason_name(each.why)) + " " + each.name_space + "/" + each.name + ": " +
                       each.message);
    return list;
  }
};

template <class Named>
Named renamed(Named object) {
  object.name = "x";
  object.name_space.clear();
  return object;
}

/// YAML of a tree, in flow style.
std::string written(const node& of) {
  std::string text;
  switch (of.kind) {
    case node_kind::null:
      return "null";
    case node_kind::scalar:
      return of.quoted ? "\"" + of.text + "\"" : of.text;
    case node_kind::list:
      for (const auto& each : of.items)
        text += (text.empty() ? "" : ", ") + written(*each);
      return "[" + text + "]";
    case node_kind::mapping:
      for (const auto& each : of.entries)
        text += (text.empty() ? "" : ", ") + each.key + ": " + written(*each.value);
      return "{" + text + "}";
  }
  return text;
}

/// The file, with this entry behind those of its list.
loaded text_with_entry(const std::string& file, object_kind kind, const node& entry) {
  std::string text = file;
  if (kind == object_kind::upstream) text.insert(text.rfind(']'), ", " + written(entry));
  if (kind == object_kind::route) text += "routes: [" + written(entry) + "]\n";
  if (kind == object_kind::policy) text += "access: {policies: [" + written(entry) + "]}\n";
  return load_text(text, "t", without_files());
}

TEST(Objects, AreEntriesOfTheFilesLists) {
  const outcome all({upstream_object("team/db"), route_object("team/app"), policy_object("team/readers")});
  ASSERT_TRUE(all.made.all.value) << all.made.all.problems.front().render();
  EXPECT_THAT(all.refused(), IsEmpty());
  ASSERT_EQ(all.made.verdicts.size(), 3U);
  const object_verdict& first = all.made.verdicts[0];
  EXPECT_EQ(first.kind, object_kind::upstream);
  EXPECT_EQ(first.uid, "uid-of-team/db");
  EXPECT_EQ(first.generation, 3);
  const route& made = all.value().routes.at(0);
  EXPECT_EQ(made.name, "team/app");
  EXPECT_EQ(made.name_space, "team");
  EXPECT_EQ(made.upstream, "team/db");
  EXPECT_EQ(all.value().upstreams.at(made.upstream_index).name_space, "team");
  EXPECT_EQ(all.value().access.policies.at(0).name_space, "team");
  EXPECT_THAT(all.value().access.governed, ElementsAre("team"));
}

/// The same section, once in the file and once as an object, gives the same settings but for its name.
TEST(Objects, MeanWhatTheFileMeans) {
  const std::vector<std::pair<std::string, std::string>> upstreams{
      {"endpoints: ['a:1', '[::1]:2']", R"({"endpoints": ["a:1", "[::1]:2"]})"},
      {"discovery: {srv: {name: _pg._tcp.db}, resolver: '10.0.0.1:53'}, pool: {size: 7, minIdle: 2, maxWait: "
       "5s}",
       R"({"discovery": {"srv": {"name": "_pg._tcp.db"}, "resolver": "10.0.0.1:53"}, )"
       R"("pool": {"size": 7, "minIdle": 2, "maxWait": "5s"}})"},
      {"endpoints: ['a:1'], tls: {mode: require, direct: true}, health: {interval: 1s, user: u}, failover: "
       "{hold: 9s}",
       R"({"endpoints": ["a:1"], "tls": {"mode": "require", "direct": true}, )"
       R"("health": {"interval": "1s", "user": "u"}, "failover": {"hold": "9s"}})"},
      {"discovery: {kubernetes: {namespace: team, service: pg, port: 5432}}",
       R"({"discovery": {"kubernetes": {"service": "pg", "port": 5432}}})"}};
  for (const auto& [yaml, json] : upstreams) {
    const auto file = load_text(gateway + "upstreams: [{name: x, " + yaml + "}]\n", "t", without_files());
    ASSERT_TRUE(file.value) << file.problems.front().render();
    const outcome objects({upstream_object("team/x", json)});
    ASSERT_THAT(objects.refused(), IsEmpty());
    upstream made = objects.value().upstreams.at(0);
    EXPECT_EQ(made.name_space, "team");
    made.name = "x";
    made.name_space.clear();
    EXPECT_TRUE(made == file.value->upstreams.at(0)) << yaml;
  }
  const std::string policy =
      R"({"effect": "allow", "subjects": {"user": ["a", "b*"]}, "objects": {"database": ["d"]}, "level": "read", )"
      R"("source": ["10.0.0.0/8"], "hours": {"days": ["mon-fri"], "from": "08:00"}, "maxLength": "8h", )"
      R"("settings": {"work_mem": "64MB"}, "limits": {"rows": 10, "bytes": "1MiB"}})";
  const auto file = load_text(gateway +
                                  "access: {policies: [{name: p, effect: allow, subjects: {user: [a, 'b*']}, "
                                  "objects: {database: d}, level: "
                                  "read, source: 10.0.0.0/8, hours: {days: mon-fri, from: '08:00'}, "
                                  "maxLength: 8h, settings: {work_mem: "
                                  "64MB}, limits: {rows: 10, bytes: 1MiB}}]}\n",
                              "t", without_files());
  // A listener with passthrough does not go with the file's policies.
  ASSERT_EQ(file.problems.size(), 1U);
  const outcome objects({policy_object("team/p", policy)});
  ASSERT_THAT(objects.refused(), IsEmpty());
  EXPECT_EQ(objects.value().access.policies.at(0).max_length, std::chrono::hours(8));
  EXPECT_EQ(objects.value().access.policies.at(0).max_bytes, 1024U * 1024U);
}

// Every key that an object may have, but those whose texts are not the same in both: its upstream, Secrets.
const std::string one_of_all =
    "{name: x, upstream: far, match: {listener: main, serverName: s, database: [a, 'b*'], user: u, source: "
    "10.0.0.0/8}, "
    "target: preferReplica, database: d, pooling: transaction, onUnsafe: refuse, auth: {method: jwt, jwt: "
    "{issuer: "
    "'https://i', audience: a, groupsClaim: g, clockSkew: 5s, jwksUri: 'https://i/k'}, userMap: [{group: g, "
    "user: '*'}], "
    "disconnectExpired: true}, credentials: {user: c, principalAs: setting, principals: [{principal: p, "
    "user: q}]}, "
    "settings: {work_mem: 64MB}, limits: {maxSessions: 5, idleTimeout: 1h}, "
    "endpoints: ['a:1', '[::1]:2'], discovery: {srv: {name: n}, resolver: '10.0.0.1:53'}, health: {interval: "
    "1s, user: w, "
    "maxReplicaLag: 10s}, zones: [{name: z, endpoints: 'a*'}], pool: {size: 7, minIdle: 2}, failover: {hold: "
    "9s}, tls: "
    "{mode: require, direct: true}, connectTimeout: 3s, proxyProtocol: v2, allowCleartextPassword: true, "
    "effect: allow, subjects: {user: [a, 'b*'], group: g}, objects: {database: d}, source: 10.0.0.0/8, "
    "hours: {days: "
    "mon-fri, from: '08:00'}, level: read, role: r, denied: [ddl, do], replication: true, maxLength: 8h}";

/// Any part of them, in the file and as an object: both are refused, or both come to the same.
RC_GTEST_PROP(Objects, MeanWhatTheFileMeansWhateverTheySay, ()) {
  const auto all = *parse_tree(one_of_all);
  const auto kind = static_cast<object_kind>(*rc::gen::inRange(0, 3));
  const std::string list = kind == object_kind::upstream ? "upstreams[]"
                           : kind == object_kind::route  ? "routes[]"
                                                         : "access.policies[]";
  node spec;
  spec.kind = node_kind::mapping;
  for (const auto& each : all->entries)
    if (each.key != "name" && find_key(list + "." + each.key) != nullptr &&
        *rc::gen::weightedElement<bool>({{4, true}, {1, false}}))
      spec.entries.push_back(each);
  node in_file = spec;
  in_file.entries.push_back({"name", {}, all->entries.front().value});

  const std::string listeners =
      "listeners: [{name: main, address: '0.0.0.0:6432', tls: {certificates: [{certFile: a, keyFile: b}]}}]\n"
      "kubernetes: {objects: {}}\n";
  const std::string far = "upstreams: [{name: far, endpoints: ['f:1'], allowedNamespaces: [team]}]\n";
  const auto file = text_with_entry(listeners + far, kind, in_file);
  const config_object as_object{
      .kind = kind, .name_space = "team", .name = "x", .spec = std::make_shared<const node>(spec)};
  const auto objects = load_text_with(listeners + far, "t", std::span(&as_object, 1), without_files());
  RC_ASSERT(objects.all.value);
  RC_ASSERT(objects.verdicts.at(0).accepted() == (file.value != nullptr));
  if (!file.value) return;
  if (kind == object_kind::upstream)
    RC_ASSERT(renamed(objects.all.value->upstreams.back()) == file.value->upstreams.back());
  if (kind == object_kind::route)
    RC_ASSERT(renamed(objects.all.value->routes.back()) == file.value->routes.back());
  if (kind == object_kind::policy)
    RC_ASSERT(renamed(objects.all.value->access.policies.back()) == file.value->access.policies.back());
}

TEST(Objects, ComeByPriorityThenAgeThenName) {
  const std::string file = gateway + "upstreams: [{name: far, endpoints: ['f:1']}]\n" +
                           "routes: [{name: last, upstream: far, match: {listener: main, database: z}, auth: "
                           "{method: scram, query: {user: a}}}]\n";
  const outcome all({upstream_object("t/db"), route_object("t/b", database("b"), 20),
                     route_object("t/old", database("old"), 10), route_object("t/a", database("a"), 20),
                     route_object("t/low", database("low") + R"(, "priority": -5)", 1),
                     route_object("t/high", database("high") + R"(, "priority": 5)", 99)},
                    file);
  EXPECT_THAT(all.refused(), IsEmpty());
  EXPECT_THAT(all.routes(), ElementsAre("last", "t/high", "t/old", "t/a", "t/b", "t/low"));
}

TEST(Objects, TheLaterOfTwoRoutesWithTheSameMatchIsRefused) {
  const std::string same = R"("match": {"listener": ["main"], "database": ["x", "y"]})";
  const std::string turned = R"("match": {"listener": ["main"], "database": ["y", "x", "x"]})";
  const outcome all({upstream_object("t/db"), upstream_object("other/db"),
                     route_object("t/second", turned, 20), route_object("t/first", same, 10),
                     route_object("other/third", same, 30)});
  EXPECT_THAT(
      all.refused(),
      ElementsAre(
          "Conflicted t/second: spec.match: PostgresRoute t/first has the same match and comes first",
          "Conflicted other/third: spec.match: a PostgresRoute of another namespace has the same match "
          "and comes first"));
  EXPECT_THAT(all.routes(), ElementsAre("t/first"));
}

TEST(Objects, ARouteThatIsRefusedConflictsWithNobody) {
  const std::string same = database("x");
  const outcome all({upstream_object("t/db"), route_object("t/first", same + R"(, "target": "nowhere")", 10),
                     route_object("t/second", same, 20)});
  EXPECT_THAT(all.refused(), ElementsAre(HasSubstr("Invalid t/first: spec.target: `nowhere` is unknown")));
  EXPECT_THAT(all.routes(), ElementsAre("t/second"));
}

TEST(Objects, ARouteOfTheFileComesFirst) {
  const std::string file = gateway + "upstreams: [{name: far, endpoints: ['f:1']}]\n" +
                           "routes: [{name: mine, upstream: far, match: {listener: main, database: x}, auth: "
                           "{method: scram, query: {user: a}}}]\n";
  const outcome all({upstream_object("t/db"), route_object("t/app", database("x"))}, file);
  EXPECT_THAT(all.refused(),
              ElementsAre("Conflicted t/app: spec.match: route mine of the gateway's file has the same "
                          "match and comes first"));
}

struct consent_case {
  const char* what;
  std::vector<std::string> upstreams;  ///< of namespace other: its allowedNamespaces; "own": of the route's
  std::string file;                    ///< allowedNamespaces of the file's `db`; empty: there is none
  std::string wanted;
  std::string leads_to;  ///< or the reason
};

TEST(Objects, LeadWhereTheyMay) {
  const consent_case cases[] = {
      {"its own namespace's", {"own"}, "", "db", "team/db"},
      {"its own, by its full name", {"own"}, "", "team/db", "team/db"},
      {"its own comes before the file's", {"own"}, "[team]", "db", "team/db"},
      {"the file's", {}, "[team]", "db", "db"},
      {"the file's, by a glob", {}, "['te*']", "db", "db"},
      {"the file's, for others", {}, "[others]", "db", "RefNotPermitted"},
      {"the file's, for nobody", {}, "[]", "db", "RefNotPermitted"},
      {"nobody's", {}, "", "db", "RefNotFound"},
      {"its own that is not", {}, "[team]", "team/db", "RefNotFound"},
      {"another's that agrees", {R"(["x", "team"])"}, "", "other/db", "other/db"},
      {"another's that agrees by a glob", {R"(["t?am"])"}, "", "other/db", "other/db"},
      {"another's that does not", {R"(["x"])"}, "", "other/db", "RefNotPermitted"},
      {"another's that says nothing", {"[]"}, "", "other/db", "RefNotPermitted"},
      {"another's that is not there", {}, "", "other/db", "RefNotPermitted"},
  };
  for (const auto& each : cases) {
    std::vector<config_object> objects{object(
        object_kind::route, "team/app",
        R"({"match": {"listener": ["main"]}, "auth": {"method": "scram", "query": {"user": "a"}}, "upstream": ")" +
            each.wanted + "\"}")};
    for (const auto& up : each.upstreams) {
      const std::string allowed = up == "own" || up == "[]" ? "" : R"(, "allowedNamespaces": )" + up;
      objects.push_back(upstream_object(up == "own" ? "team/db" : "other/db",
                                        R"({"endpoints": ["db:5432"])" + allowed + "}"));
    }
    std::string file = gateway;
    if (!each.file.empty())
      file += "upstreams: [{name: db, endpoints: ['f:1']" +
              (each.file == "[]" ? "" : ", allowedNamespaces: " + each.file) + "}]\n";
    const outcome all(objects, file);
    ASSERT_TRUE(all.made.all.value) << each.what;
    const object_verdict& said = all.made.verdicts.at(0);
    const std::string seen =
        said.accepted() ? all.value().routes.at(0).upstream : std::string(reason_name(said.why));
    EXPECT_EQ(seen, each.leads_to) << each.what << ": " << said.message;
  }
}

TEST(Objects, AnUpstreamElsewhereIsNotToldOf) {
  const auto asked = route_object("team/app", R"("upstream": "other/db")");
  const outcome there({asked, upstream_object("other/db")});
  const outcome not_there({asked});
  ASSERT_EQ(there.refused().size(), 1U);
  EXPECT_EQ(there.refused(), not_there.refused());
}

TEST(Objects, ABadOneIsLeftOutAndTheRestIsInForce) {
  const outcome all({upstream_object("t/db"), upstream_object("t/bad", R"({"endpoints": ["nowhere"]})"),
                     route_object("t/good"), route_object("t/lost", R"("upstream": "bad")"),
                     route_object("t/typo", R"("taget": "any")")});
  EXPECT_THAT(
      all.refused(),
      ElementsAre(HasSubstr("Invalid t/bad: spec.endpoints[0]: `nowhere` is not the address of a server"),
                  "RefNotFound t/lost: spec.upstream: PostgresUpstream t/bad is not accepted itself",
                  HasSubstr("Invalid t/typo: spec.taget: unknown key, did you mean `target`?")));
  EXPECT_THAT(all.routes(), ElementsAre("t/good"));
  EXPECT_THAT(all.made.all.problems, IsEmpty());
}

TEST(Objects, WhatIsForTheFileIsRefused) {
  const std::pair<std::string, std::string> upstreams[] = {
      {R"({"endpoints": ["unix:/run/s"]})", "spec.endpoints[0]: a socket of the gateway's own machine"},
      {R"({"endpoints": ["db:1"], "tls": {"caFile": "/c"}})",
       "spec.tls.caFile: is for the gateway's own file, and not "
       "for an object (expected caSecret)"},
      {R"({"endpoints": ["db:1"], "tls": {"keyFile": "/c"}})", "(expected certSecret)"},
      {R"({"endpoints": ["db:1"], "health": {"user": "u", "passwordFile": "/c"}})",
       "(expected passwordSecret)"},
      {R"({"endpoints": ["db:1"], "health": {"user": "u", "password": "${HOME}"}})",
       "spec.health.password: is for"},
      {R"({"name": "db", "endpoints": ["db:1"]})", "spec.name: unknown key"},
      {R"({"endpoints": ["db:1"], "priority": 1})", "spec.priority: unknown key"},
      {R"({"discovery": {"kubernetes": {"namespace": "other", "service": "pg"}}})",
       "spec.discovery.kubernetes.namespace: `other` is another namespace than the object's own"},
      {R"({"endpoints": ["db:1"], "tls": {"caSecret": {"name": "x", "namespace": "other"}}})",
       "spec.tls.caSecret.namespace: `other` is another namespace"},
      {R"({"endpoints": ["db:1"], "tls": {"caSecret": {"name": "../x"}}})",
       "spec.tls.caSecret.name: `../x` cannot be"},
      {R"([])", "spec: is missing"},
  };
  for (const auto& [spec, text] : upstreams)
    EXPECT_THAT(outcome({upstream_object("t/x", spec)}).refused(), ElementsAre(HasSubstr(text))) << spec;
  const std::pair<std::string, std::string> routes[] = {
      {R"("auth": {"method": "trust"})", "spec.auth.method: `trust` is for the gateway's own file"},
      {R"("auth": {"method": "scram", "verifierFile": "/etc/x"})", "(expected verifierSecret)"},
      {R"("auth": {"method": "kubernetes", "kubernetes": {"audience": ["a"], "apiServer": "https://evil"}})",
       "spec.auth.kubernetes.apiServer: is for the gateway's own file, and not for an object (expected to be "
       "left out)"},
      {R"("priority": "5")", "spec.priority: is no priority"},
      {R"("priority": 1000001)", "spec.priority: is no priority"},
      {R"("name": "x")", "spec.name: unknown key"},
  };
  for (const auto& [more, text] : routes)
    EXPECT_THAT(outcome({upstream_object("t/db"), route_object("t/x", more)}).refused(),
                ElementsAre(HasSubstr(text)))
        << more;
}

TEST(Objects, VariablesArePlainText) {
  const outcome all({upstream_object("t/db"), route_object("t/x", R"("database": "${HOME}$${X}")")});
  EXPECT_THAT(all.refused(), IsEmpty());
  EXPECT_EQ(all.value().routes.at(0).database, "${HOME}$${X}");
}

TEST(Objects, TheGatewaysOwnTokenGoesToItsOwnApiServerOnly) {
  const auto asked =
      route_object("t/x", R"("auth": {"method": "kubernetes", "kubernetes": {"audience": ["db"]}})");
  const std::string file = gateway + "upstreams: [{name: u, endpoints: ['u:1']}]\n";
  const outcome pod(
      {upstream_object("t/db"), asked}, file,
      without_files({{"KUBERNETES_SERVICE_HOST", "10.9.8.7"}, {"KUBERNETES_SERVICE_PORT", "443"}}));
  ASSERT_THAT(pod.refused(), IsEmpty());
  const auto& said = *pod.value().routes.at(0).auth.kubernetes;
  EXPECT_EQ(said.api_server, "https://10.9.8.7:443");
  EXPECT_EQ(said.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
  EXPECT_EQ(said.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
  EXPECT_THAT(outcome({upstream_object("t/db"), asked}).refused(),
              ElementsAre(HasSubstr("names neither an API server nor an issuer")));
}

TEST(Objects, ProblemsOfTheFileAreItsOwn) {
  const outcome all({upstream_object("t/db"), route_object("t/app")}, gateway + "routs: []\n");
  ASSERT_EQ(all.made.all.problems.size(), 1U);
  EXPECT_THAT(all.made.all.problems[0].render(), HasSubstr("routs: unknown key, did you mean `routes`?"));
  EXPECT_THAT(all.made.verdicts, IsEmpty());
  const outcome broken({upstream_object("t/db")}, "listeners: [");
  EXPECT_EQ(broken.made.all.problems.size(), 1U);
}

TEST(Objects, TheFileNeedsNoRoutesAndLeadsToNoObject) {
  EXPECT_TRUE(outcome({}).made.all.value);
  EXPECT_THAT(
      problems_of("listeners: [{name: l, address: 'unix:/l'}]\n"),
      testing::UnorderedElementsAre(HasSubstr("routes: is missing"), HasSubstr("upstreams: is missing")));
  const outcome all({upstream_object("t/db")}, gateway + "routes: [{name: r, upstream: t/db}]\n");
  ASSERT_EQ(all.made.all.problems.size(), 1U);
  EXPECT_THAT(all.made.all.problems[0].render(), HasSubstr("routes[0].upstream: `t/db` is no upstream"));
}

// ---- Secrets ----

/// Secrets that are there, each with its file.
load_options with_secrets(const std::map<std::string, std::string>& known) {
  load_options options = without_files();
  options.secret = [known](const secret_reference& wanted) -> result<std::string> {
    const std::string name = wanted.name_space + "/" + wanted.name + "/" + wanted.key;
    const auto found = known.find(name);
    if (found == known.end()) return fail({.message = "there is no Secret " + name});
    return found->second;
  };
  return options;
}

TEST(Objects, NameSecretsOfTheirOwnNamespace) {
  const auto up = upstream_object(
      "t/db",
      R"({"endpoints": ["db:1"], "tls": {"caSecret": {"name": "ca"}, "certSecret": {"name": "client"}},
                  "health": {"user": "u", "passwordSecret": {"name": "watch", "key": "pw"}}})");
  const auto app = object(object_kind::route, "t/app",
                          R"({"upstream": "db", "match": {"listener": ["main"]}, "auth": {"method": "scram",
                              "verifierSecret": {"name": "users"}},
                              "credentials": {"user": "app", "passwordSecret": {"name": "app"}}})");
  const outcome all({up, app}, gateway,
                    with_secrets({{"t/ca/ca.crt", "/f/1"},
                                  {"t/client/tls.crt", "/f/2"},
                                  {"t/client/tls.key", "/f/3"},
                                  {"t/watch/pw", "/f/4"},
                                  {"t/users/users", "/f/5"},
                                  {"t/app/password", "/f/6"}}));
  ASSERT_THAT(all.refused(), IsEmpty());
  const upstream& made = all.value().upstreams.at(0);
  EXPECT_EQ(made.tls.ca_file, "/f/1");
  EXPECT_EQ(made.tls.cert_file, "/f/2");
  EXPECT_EQ(made.tls.key_file, "/f/3");
  EXPECT_EQ(made.health->password_file, "/f/4");
  EXPECT_EQ(all.value().routes.at(0).auth.verifier_file, "/f/5");
  EXPECT_EQ(all.value().routes.at(0).login->usual.password_file, "/f/6");
  EXPECT_EQ(all.made.all.wanted_secrets.size(), 6U);
  EXPECT_THAT(all.made.all.referenced_files, testing::Contains("/f/6"));
  const std::string shown = render_yaml(all.value());
  EXPECT_THAT(shown,
              HasSubstr("passwordSecret:\n        namespace: t\n        name: app\n        key: password\n"));
  EXPECT_THAT(shown, HasSubstr("certSecret:\n        namespace: t\n        name: client\n"));
  EXPECT_THAT(shown, testing::Not(HasSubstr("/f/")));
}

TEST(Objects, ASecretThatIsMissingIsWantedAllTheSame) {
  const auto app = object(object_kind::route, "t/app",
                          R"({"upstream": "db", "match": {"listener": ["main"]}, "auth": {"method": "scram"},
                              "credentials": {"user": "app", "passwordSecret": {"name": "app"}}})");
  const outcome all({upstream_object("t/db"), app, route_object("t/other", database("o"))}, gateway,
                    with_secrets({}));
  EXPECT_THAT(all.refused(),
              ElementsAre(HasSubstr("SecretNotFound t/app: spec.credentials.passwordSecret: there is no "
                                    "Secret t/app/password")));
  EXPECT_THAT(all.routes(), ElementsAre("t/other"));
  EXPECT_THAT(all.made.all.wanted_secrets, ElementsAre(secret_reference{"t", "app", "password"}));
}

TEST(Objects, SecretsStandInTheFileTooWithTheirNamespace) {
  const std::string file =
      "listeners: [{name: main, address: 'unix:/l'}]\n"
      "routes: [{name: r, upstream: u, auth: {method: scram}, credentials: {user: a, passwordSecret: "
      "{namespace: n, "
      "name: billing-app}}}]\nupstreams: [{name: u, endpoints: ['u:1']}]\n";
  const auto named = load_text(file, "t", without_files());
  ASSERT_TRUE(named.value) << named.problems.front().render();
  EXPECT_THAT(render_yaml(*named.value),
              HasSubstr("namespace: n\n        name: billing-app\n        key: password\n"));
  const auto again = load_text(render_yaml(*named.value), "t", without_files());
  ASSERT_TRUE(again.value) << again.problems.front().render();
  EXPECT_TRUE(again.value->routes == named.value->routes);
  const auto found = load_text(file, "t", with_secrets({{"n/billing-app/password", "/f/1"}}));
  EXPECT_EQ(found.value->routes.at(0).login->usual.password_file, "/f/1");
  const auto lost = load_text(file, "t", with_secrets({}));
  ASSERT_EQ(lost.problems.size(), 1U);
  EXPECT_THAT(
      lost.problems[0].render(),
      "t:2:95: routes[0].credentials.passwordSecret: there is no Secret n/billing-app/password (expected a "
      "Secret that is there)");
  const std::pair<std::string, std::string> wrong[] = {
      {"{name: x}", "passwordSecret.namespace: is missing"},
      {"{namespace: n}", "passwordSecret.name: is missing"},
      {"{namespace: n, name: x, field: y}", "passwordSecret.field: unknown key"},
      {"{namespace: n, name: X}",
       "passwordSecret.name: `X` cannot be such a name (expected a Secret's name)"},
      {"{namespace: n, name: x, key: a/b}", "passwordSecret.key: `a/b` cannot be"},
      {"{namespace: n, name: x}, passwordFile: f",
       "passwordSecret: stands beside passwordFile; only one can hold"},
      {"{namespace: n, name: x}, password: '${P}'",
       "password: stands beside passwordSecret; only one can hold"},
  };
  for (const auto& [said, text] : wrong)
    EXPECT_THAT(
        problems_of(sample{.route = "{name: r, upstream: db, auth: {method: scram}, credentials: {user: a, "
                                    "passwordSecret: " +
                                    said + "}}"}
                        .text(),
                    {{"P", "p"}}),
        testing::Contains(HasSubstr(text)))
        << said;
}

// ---- policies ----

TEST(Objects, PoliciesAreForRoutesOfTheirNamespace) {
  const outcome all(
      {upstream_object("t/db"), route_object("t/app"),
       policy_object("t/p", R"({"subjects": {"user": ["a"]}, "objects": {"route": ["app"]}})")});
  ASSERT_THAT(all.refused(), IsEmpty());
  EXPECT_THAT(all.value().access.policies.at(0).routes, ElementsAre("t/app"));
}

TEST(Objects, APolicyForARouteThatIsNotThereYetIsAccepted) {
  const outcome all(
      {policy_object("t/p", R"({"subjects": {"group": ["dba"]}, "objects": {"route": ["app"]}})")});
  ASSERT_THAT(all.refused(), IsEmpty());
  EXPECT_THAT(all.made.verdicts[0].message, HasSubstr("`app` is no route of the namespace"));
  EXPECT_THAT(all.made.verdicts[0].message, HasSubstr("knows the groups of its clients"));
}

TEST(Objects, ANamespaceWhosePolicyIsRefusedStaysGoverned) {
  const std::string wrong = R"({"subjects": {"user": ["a"]}, "level": "some"})";
  const outcome all({upstream_object("t/db"), route_object("t/app"), policy_object("t/p", wrong)});
  EXPECT_THAT(all.refused(), ElementsAre(HasSubstr("Invalid t/p: spec.level: `some` is unknown")));
  EXPECT_THAT(all.value().access.policies, IsEmpty());
  EXPECT_THAT(all.value().access.governed, ElementsAre("t"));
}

TEST(Objects, ADenialThatCannotBeReadDeniesEverybody) {
  const std::string wrong = R"({"effect": "deny", "subjects": {"spiffe": ["x"]}, "priority": 9})";
  const outcome all({policy_object("t/p"), policy_object("t/no", wrong)});
  EXPECT_THAT(all.refused(),
              ElementsAre(HasSubstr("Invalid t/no: spec.subjects.spiffe: `x` is no SPIFFE ID")));
  ASSERT_EQ(all.value().access.policies.size(), 2U);
  const access_policy& first = all.value().access.policies[0];
  EXPECT_EQ(first.name, "t/no");
  EXPECT_EQ(first.name_space, "t");
  EXPECT_EQ(first.effect, access_effect::deny);
  EXPECT_THAT(first.subjects.users, ElementsAre("*"));
}

TEST(Objects, ADenialIsADenialHoweverItIsWrong) {
  for (const char* wrong :
       {R"({"effect": "deny", "subjects": {"user": ["a"]}, "priority": "high"})",
        R"({"effect": "deny", "name": "p", "subjects": {"user": ["a"]}})", R"({"effect": "deny"})",
        R"({"effect": "deny", "subjects": 5, "levle": "read"})"}) {
    const outcome all({policy_object("t/no", wrong)});
    EXPECT_EQ(all.refused().size(), 1U) << wrong;
    ASSERT_EQ(all.value().access.policies.size(), 1U) << wrong;
    EXPECT_THAT(all.value().access.policies[0].subjects.users, ElementsAre("*")) << wrong;
  }
}

TEST(Objects, SpeakOfNoPlacesInLists) {
  const auto pooled = route_object("t/app", R"("pooling": "session")");
  const outcome all({upstream_object("t/db", R"({"endpoints": ["db:1"], "proxyProtocol": "v2"})"), pooled});
  EXPECT_THAT(all.refused(),
              ElementsAre(HasSubstr("does not go with its upstream's proxyProtocol, which names")));
}

TEST(Objects, ARouteWhoseClientsAreHiddenDoesNotGoWithPolicies) {
  const auto hidden =
      object(object_kind::route, "t/sni", R"({"upstream": "db", "match": {"listener": ["sni"]}})");
  EXPECT_THAT(outcome({upstream_object("t/db"), hidden}).refused(), IsEmpty());
  EXPECT_THAT(
      outcome({upstream_object("t/db"), hidden, policy_object("t/p")}).refused(),
      ElementsAre(HasSubstr("Invalid t/sni: spec.match.listener: a listener with passthrough hides")));
}

TEST(Objects, ThePoliciesOfTheFileMayNameObjects) {
  const std::string file =
      "listeners: [{name: main, address: 'unix:/l'}]\nkubernetes: {objects: {}}\n"
      "access: {policies: [{name: p, subjects: {user: a}, objects: {route: 't/*'}}]}\n";
  const outcome all({}, file);
  ASSERT_TRUE(all.made.all.value) << all.made.all.problems.front().render();
  EXPECT_THAT(all.made.all.warnings.back().render(), HasSubstr("`t/*` is no route"));
}

// ---- numbers ----

TEST(Objects, TooManyAreRefusedOneByOne) {
  std::vector<config_object> objects{upstream_object("t/db")};
  for (std::size_t i = 0; i < limits::config_list_entries + 2; ++i)
    objects.push_back(
        route_object(fmt::format("t/r{}", i), database(fmt::format("d{}", i)), static_cast<int>(i)));
  const outcome all(objects);
  EXPECT_THAT(all.refused(), ElementsAre(HasSubstr("Invalid t/r1000: there are more than 1000 of them"),
                                         HasSubstr("Invalid t/r1001: there are more than 1000 of them")));
  EXPECT_EQ(all.routes().size(), limits::config_list_entries);
}

TEST(Objects, IssuersThatAreTooManyAreThoseOfTheLastRoutes) {
  std::vector<config_object> objects{upstream_object("t/db")};
  for (std::size_t i = 0; i < limits::issuers + 1; ++i)
    objects.push_back(route_object(
        fmt::format("t/r{}", i),
        database(fmt::format("d{}", i)) +
            fmt::format(
                R"(, "auth": {{"method": "jwt", "jwt": {{"issuer": "https://i{}", "audience": ["a"]}}}})", i),
        static_cast<int>(i)));
  EXPECT_THAT(
      outcome(objects).refused(),
      ElementsAre(HasSubstr("Invalid t/r64: spec.auth: names an issuer or API server that is one too many")));
}

TEST(Objects, WhatOtherRoomsSayCounts) {
  load_options options = without_files();
  std::set<std::string> asked;
  options.examine = [&asked](const settings& of, bool is_route, std::size_t index) -> std::string {
    const std::string& name = is_route ? of.routes[index].name : of.upstreams[index].name;
    EXPECT_TRUE(asked.insert(name).second) << name;
    return name == "t/bad" ? "its Secret holds no certificate" : "";
  };
  const std::string file = gateway + "upstreams: [{name: far, endpoints: ['f:1']}]\n";
  const outcome all({upstream_object("t/db"), upstream_object("t/bad"), route_object("t/app"),
                     route_object("t/lost", database("x") + R"(, "upstream": "bad")")},
                    file, options);
  EXPECT_THAT(
      all.refused(),
      ElementsAre("Invalid t/bad: spec: its Secret holds no certificate",
                  "RefNotFound t/lost: spec.upstream: PostgresUpstream t/bad is not accepted itself"));
  EXPECT_EQ(asked, (std::set<std::string>{"t/db", "t/bad", "t/app", "t/lost"}));
}

TEST(Objects, AFileThatDoesNotGoWithThemIsInForceAlone) {
  // TLS to `old` was never meant to be ended here; the object that would do so is refused.
  const std::string file =
      gateway +
      "upstreams: [{name: old, endpoints: ['o:1'], tls: {mode: verify-ca}, allowedNamespaces: ['*']}]\n"
      "routes: [{name: sni, upstream: old, match: {listener: sni}}]\n";
  const outcome all({route_object("t/app", R"("upstream": "old")")}, file);
  ASSERT_TRUE(all.made.all.value) << all.made.all.problems.front().render();
  EXPECT_THAT(all.refused(),
              ElementsAre(HasSubstr("Invalid t/app: spec.upstream.mode: verify-ca without caFile")));
}

// ---- JSON ----

TEST(JsonTree, KeepsKindsAndRefusesTooMuch) {
  const auto made = tree_of(nlohmann::json::parse(R"({"a": [1, true, "1", null, -2.5], "b": {}})"));
  ASSERT_TRUE(made);
  const node& list = *(*made)->find("a");
  ASSERT_EQ(list.items.size(), 5U);
  EXPECT_EQ(list.items[0]->text, "1");
  EXPECT_FALSE(list.items[0]->quoted);
  EXPECT_EQ(list.items[1]->text, "true");
  EXPECT_TRUE(list.items[2]->quoted);
  EXPECT_EQ(list.items[3]->kind, node_kind::null);
  EXPECT_EQ(list.items[4]->text, "-2.5");
  EXPECT_EQ((*made)->find("b")->kind, node_kind::mapping);
  nlohmann::json deep = 1;
  for (int i = 0; i < 20; ++i)
    deep = nlohmann::json::array({deep});
  EXPECT_EQ(tree_of(deep).error().text, "is nested too deeply");
  EXPECT_EQ(tree_of(nlohmann::json(std::vector<int>(limits::object_values, 1))).error().text,
            "has too many values");
  EXPECT_EQ(tree_of(nlohmann::json(std::string("a\0b", 3))).error().text, "has a text with a NUL byte in it");
}

}  // namespace
}  // namespace trunkline::config
