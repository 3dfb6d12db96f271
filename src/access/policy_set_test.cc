#include "access/policy_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "config/json_tree.h"
#include "config/objects.h"

namespace trunkline::access {
namespace {

using config::statement_class;
using testing::HasSubstr;

constexpr const char* routes =
    "listeners: [{name: main, address: 'unix:/run/t.sock'}]\n"
    "upstreams: [{name: db, endpoints: ['db:1']}]\n"
    "routes:\n"
    "- {name: app, upstream: db}\n"
    "- {name: people, upstream: db, auth: {method: jwt, jwt: {issuer: 'https://i', audience: a, groupsClaim: "
    "g}}}\n"
    "- {name: pods, upstream: db, auth: {method: kubernetes, kubernetes: {apiServer: 'https://k', tokenFile: "
    "t, "
    "audience: a}}}\n";

struct world {
  explicit world(const std::string& policies) {
    config::load_options options;
    options.check_files = false;
    auto loaded = config::load_text(
        std::string(routes) + "access: {store: /s, policies: [" + policies + "]}\n", "t", options);
    EXPECT_TRUE(loaded.value) << loaded.problems.front().render();
    settings = loaded.value;
    set = *policy_set::build(*settings);
  }
  question ask(std::string_view user, std::size_t route = 0) const {
    question made;
    made.user = user;
    made.database = "app";
    made.route_index = route;
    made.route = &settings->routes[route];
    made.source = config::ip_address::parse("10.1.2.3");
    made.when =
        std::chrono::sys_days(std::chrono::year(2026) / 11 / 30) + std::chrono::hours(12);  // a Monday
    return made;
  }
  std::string decide(const question& asked) const {
    const auto found = set->decide(asked);
    return std::string(outcome_names[static_cast<std::size_t>(found.what)]) +
           (found.by == nullptr ? "" : " " + found.by->says.name);
  }
  config::snapshot settings;
  std::shared_ptr<const policy_set> set;
};

TEST(PolicySet, TheFirstThatFitsDecidesAndNoneIsDeny) {
  const world all("{name: a, effect: deny, subjects: {user: eve}}, {name: b, subjects: {user: ['e*', bob]}}");
  EXPECT_EQ(all.decide(all.ask("eve")), "deny a");
  EXPECT_EQ(all.decide(all.ask("erin")), "allow b");
  EXPECT_EQ(all.decide(all.ask("bob")), "allow b");
  EXPECT_EQ(all.decide(all.ask("Bob")), "deny");
  EXPECT_EQ(all.set->decide(all.ask("x")).reason(), "no access policy fits");
  EXPECT_EQ(all.set->decide(all.ask("eve")).reason(), "policy a denies it");
}

TEST(PolicySet, WithoutPoliciesThereIsNone) {
  config::settings empty;
  EXPECT_EQ(*policy_set::build(empty), nullptr);
}

TEST(PolicySet, LooksAtObjectsSourcesAndReplication) {
  const world all(
      "{name: a, subjects: {user: u}, objects: {route: people}}, {name: b, subjects: {user: u}, objects: "
      "{database: 'x*'}}, {name: c, subjects: {user: u}, source: [192.168.0.0/16, '2001:db8::/32']}, "
      "{name: d, subjects: {user: u}, replication: true, objects: {database: app}}");
  auto asked = all.ask("u");
  EXPECT_EQ(all.decide(asked), "allow d");
  asked.replication = true;
  EXPECT_EQ(all.decide(asked), "allow d");
  asked.database = "x1";
  EXPECT_EQ(all.decide(asked), "deny");
  asked.replication = false;
  EXPECT_EQ(all.decide(asked), "allow b");
  asked.database = "y";
  EXPECT_EQ(all.decide(asked), "deny");
  asked.source = config::ip_address::parse("192.168.7.7");
  EXPECT_EQ(all.decide(asked), "allow c");
  asked.source.reset();  // a unix socket
  EXPECT_EQ(all.decide(asked), "deny");
  asked.route_index = 1;
  asked.route = &all.settings->routes[1];
  EXPECT_EQ(all.decide(asked), "allow a");
}

TEST(PolicySet, ADenialNeedsNoReplication) {
  const world all(
      "{name: a, effect: deny, subjects: {user: u}}, {name: b, subjects: {user: u}, replication: true}");
  auto asked = all.ask("u");
  asked.replication = true;
  EXPECT_EQ(all.decide(asked), "deny a");
}

TEST(PolicySet, KnowsGroups) {
  const world all("{name: a, subjects: {group: [dba, 'ops-*']}, objects: {route: people}}");
  const auth::identity dba{.principal = "alice@example.org", .groups = {"dba"}};
  const auth::identity ops{.principal = "bob", .groups = {"all", "ops-night"}};
  const auth::identity other{.principal = "dba", .groups = {"ops"}};
  for (const auto& [who, expected] :
       {std::pair(&dba, "allow a"), std::pair(&ops, "allow a"), std::pair(&other, "deny")}) {
    auto asked = all.ask("postgres", 1);
    asked.who = who;
    EXPECT_EQ(all.decide(asked), expected) << who->principal;
  }
  EXPECT_EQ(all.decide(all.ask("dba", 1)), "deny") << "a user's name is no group";
}

TEST(PolicySet, ThePrincipalIsWhoCountsAndNotTheUser) {
  const world all("{name: a, subjects: {user: postgres}}");
  const auth::identity who{.principal = "mallory"};
  auto asked = all.ask("postgres", 1);
  asked.who = &who;
  EXPECT_EQ(all.decide(asked), "deny");
}

TEST(PolicySet, ServiceAccountsAreKubernetesOwn) {
  const world all("{name: a, subjects: {serviceAccount: 'prod/*'}}");
  const auth::identity in_prod{.principal = "system:serviceaccount:prod:api"};
  const auth::identity elsewhere{.principal = "system:serviceaccount:dev:api"};
  const auth::identity tricky{.principal = "system:serviceaccount:prod:a/b"};
  auto asked = all.ask("app", 2);
  asked.who = &in_prod;
  EXPECT_EQ(all.decide(asked), "allow a");
  asked.who = &elsewhere;
  EXPECT_EQ(all.decide(asked), "deny");
  asked.who = &tricky;
  EXPECT_EQ(all.decide(asked), "deny");
  asked = all.ask("app", 1);  // another issuer may call somebody so
  asked.who = &in_prod;
  EXPECT_EQ(all.decide(asked), "deny");
}

TEST(PolicySet, SpiffeStaysWithinItsPath) {
  const world all("{name: a, subjects: {spiffe: 'spiffe://example.org/ns/*/sa/api'}}");
  auto asked = all.ask("app", 1);
  const auth::identity good{.principal = "spiffe://example.org/ns/prod/sa/api"};
  const auth::identity deep{.principal = "spiffe://example.org/ns/a/b/sa/api"};
  asked.who = &good;
  EXPECT_EQ(all.decide(asked), "allow a");
  asked.who = &deep;
  EXPECT_EQ(all.decide(asked), "deny");
}

TEST(PolicySet, HoldsItsHours) {
  const world all(
      "{name: a, subjects: {user: u}, hours: {days: mon-fri, from: '08:00', until: '18:00', timeZone: "
      "Europe/Berlin}}, "
      "{name: b, subjects: {user: n}, hours: {days: [fri], from: '22:00', until: '06:00'}}");
  auto asked = all.ask("u");
  const auto day = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30);
  asked.when = day + std::chrono::minutes(7 * 60);  // 08:00 in Berlin
  EXPECT_EQ(all.decide(asked), "allow a");
  asked.when -= std::chrono::seconds(1);
  EXPECT_EQ(all.decide(asked), "deny");
  asked.when = day + std::chrono::hours(17);
  EXPECT_EQ(all.decide(asked), "deny");
  asked.when = day - std::chrono::hours(12);  // Sunday
  EXPECT_EQ(all.decide(asked), "deny");
  asked = all.ask("n");
  asked.when = day + std::chrono::hours(4 * 24 + 23);  // Friday night
  EXPECT_EQ(all.decide(asked), "allow b");
  asked.when = day + std::chrono::hours(5 * 24 + 5);  // its morning after
  EXPECT_EQ(all.decide(asked), "allow b");
  asked.when = day + std::chrono::hours(4 * 24 + 5);  // Thursday's is none
  EXPECT_EQ(all.decide(asked), "deny");
}

TEST(PolicySet, KnowsWhenHoursEnd) {
  const world all(
      "{name: a, subjects: {user: u}, hours: {from: '08:00', until: '18:00', timeZone: Europe/Berlin}}, "
      "{name: b, subjects: {user: u}}, {name: c, subjects: {user: u}, hours: {}}, "
      "{name: d, subjects: {user: u}, hours: {days: mon-tue}}");
  const auto day = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30);
  const wall_time noon = day + std::chrono::hours(12);
  const auto& policies = all.set->policies();
  EXPECT_EQ(policies[0].closes_after(noon), wall_time(day + std::chrono::hours(17)));
  EXPECT_EQ(policies[1].closes_after(noon), std::nullopt);
  EXPECT_EQ(policies[2].closes_after(noon), std::nullopt) << "every day, all day";
  EXPECT_EQ(policies[3].closes_after(noon), wall_time(day + std::chrono::hours(48)));
  // The night before summer time ends is an hour longer.
  const auto october = std::chrono::sys_days(std::chrono::year(2026) / 10 / 24);
  EXPECT_EQ(policies[0].closes_after(october + std::chrono::hours(12)),
            wall_time(october + std::chrono::hours(16)));
}

TEST(PolicySet, SaysWhatASessionIsHeldTo) {
  const world all(
      "{name: a, subjects: {user: u}, level: read, role: r, settings: {work_mem: 1MB}}, "
      "{name: b, subjects: {user: u}}, {name: c, subjects: {user: u}, level: admin}, "
      "{name: d, subjects: {user: u}, level: admin, denied: ddl, limits: {rows: 5}}, "
      "{name: e, subjects: {user: u}, approval: {anyOf: x}}");
  const auto& policies = all.set->policies();
  using pairs = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(policies[0].parameters, (pairs{{"work_mem", "1MB"},
                                           {"default_transaction_read_only", "on"},
                                           {"standard_conforming_strings", "on"},
                                           {"role", "r"}}));
  EXPECT_TRUE(policies[0].guard.read_only && policies[0].guard.role);
  EXPECT_TRUE(policies[0].guard.denies(statement_class::do_block));
  EXPECT_TRUE(policies[1].guard.denies(statement_class::roles));
  EXPECT_TRUE(policies[1].guard.denies(statement_class::copy_program));
  EXPECT_TRUE(policies[1].guard.denies(statement_class::do_block)) << "it could manage roles";
  EXPECT_FALSE(policies[1].guard.denies(statement_class::ddl));
  EXPECT_FALSE(policies[2].guard.any());
  EXPECT_TRUE(policies[3].guard.denies(statement_class::ddl));
  EXPECT_TRUE(policies[3].guard.denies(statement_class::do_block)) << "it could create things";
  EXPECT_FALSE(policies[3].guard.denies(statement_class::roles));
  EXPECT_EQ(policies[3].guard.max_rows, 5U);
  EXPECT_EQ(all.set->decide(all.ask("u")).what, outcome::allow);
}

TEST(PolicySet, AnApprovalIsWaitedFor) {
  const world all("{name: a, subjects: {user: u}, approval: {anyOf: x}}");
  EXPECT_EQ(all.decide(all.ask("u")), "wait a");
}

TEST(PolicySet, NamesAZoneThatIsGone) {
  config::load_options options;
  options.check_files = false;
  const auto loaded = config::load_text(
      std::string(routes) +
          "access: {policies: [{name: p, subjects: {user: a}, hours: {timeZone: No/Where}}]}\n",
      "t", options);
  const auto made = policy_set::build(*loaded.value);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("access policy \"p\": no time zone No/Where"));
}

// ---- policies of a namespace ----

/// Names and specs.
using listed = std::vector<std::pair<std::string, std::string>>;

/// Routes t/app and other/app, and these AccessPolicies, beside a file.
struct namespaces {
  explicit namespaces(const listed& policies, const std::string& file = "") {
    config::load_options options;
    options.check_files = false;
    std::vector<config::config_object> objects;
    const auto add = [&](config::object_kind kind, const std::string& name, const std::string& spec) {
      const auto slash = name.find('/');
      objects.push_back({.kind = kind,
                         .name_space = name.substr(0, slash),
                         .name = name.substr(slash + 1),
                         .spec = *config::tree_of(nlohmann::json::parse(spec))});
    };
    for (const std::string name_space : {"t", "other"}) {
      add(config::object_kind::upstream, name_space + "/db", R"({"endpoints": ["db:1"]})");
      add(config::object_kind::route, name_space + "/app",
          R"({"upstream": "db", "match": {"database": [")" + name_space + R"("]}})");
    }
    for (const auto& [name, spec] : policies)
      add(config::object_kind::policy, name, spec);
    const auto made = config::load_text_with(
        "listeners: [{name: main, address: 'unix:/run/t.sock'}]\nkubernetes: {objects: {}}\n" + file, "t",
        objects, options);
    EXPECT_TRUE(made.all.value) << made.all.problems.front().render();
    settings = made.all.value;
    set = *policy_set::build(*settings);
  }
  /// "free" where nobody asks.
  std::string decide(std::string_view route, std::string_view user) const {
    const auto found = std::find_if(settings->routes.begin(), settings->routes.end(),
                                    [&](const auto& each) { return each.name == route; });
    if (set == nullptr || !set->governs(*found)) return "free";
    question asked;
    asked.user = user;
    asked.database = "app";
    asked.route = &*found;
    asked.route_index = static_cast<std::size_t>(found - settings->routes.begin());
    const auto decided = set->decide(asked);
    return std::string(outcome_names[static_cast<std::size_t>(decided.what)]) +
           (decided.by == nullptr ? "" : " " + decided.by->says.name);
  }
  config::snapshot settings;
  std::shared_ptr<const policy_set> set;
};

TEST(PolicySet, ThoseOfANamespaceGovernItsRoutesAlone) {
  const namespaces all(listed{{"t/p", R"({"subjects": {"user": ["alice"]}})"}});
  EXPECT_EQ(all.decide("t/app", "alice"), "allow t/p");
  EXPECT_EQ(all.decide("t/app", "bob"), "deny");
  EXPECT_EQ(all.decide("other/app", "bob"), "free");
  EXPECT_EQ(namespaces(listed{}).decide("t/app", "bob"), "free");
}

TEST(PolicySet, ANamespaceWhosePoliciesAreAllRefusedLetsNobodyIn) {
  const namespaces all(listed{{"t/p", R"({"subjects": {}})"}});
  ASSERT_TRUE(all.settings->access.policies.empty());
  EXPECT_EQ(all.decide("t/app", "alice"), "deny");
  EXPECT_EQ(all.decide("other/app", "alice"), "free");
}

TEST(PolicySet, ThoseOfTheFileComeFirstAndGovernAll) {
  const namespaces all(listed{{"t/p", R"({"subjects": {"user": ["*"]}, "priority": 9})"}},
                       "access: {policies: [{name: no, effect: deny, subjects: {user: eve}}, "
                       "{name: ops, subjects: {user: ops}, objects: {route: 'other/*'}}]}\n");
  EXPECT_EQ(all.decide("t/app", "eve"), "deny no");
  EXPECT_EQ(all.decide("t/app", "alice"), "allow t/p");
  EXPECT_EQ(all.decide("other/app", "ops"), "allow ops");
  EXPECT_EQ(all.decide("other/app", "alice"), "deny");
}

TEST(PolicySet, ADenialThatIsRefusedDeniesBehindWhatComesBefore) {
  const namespaces all(listed{{"t/first", R"({"subjects": {"user": ["ops"]}, "priority": 2})"},
                              {"t/no", R"({"effect": "deny", "subjects": {"spiffe": ["x"]}, "priority": 1})"},
                              {"t/rest", R"({"subjects": {"user": ["*"]}})"}});
  EXPECT_EQ(all.decide("t/app", "ops"), "allow t/first");
  EXPECT_EQ(all.decide("t/app", "alice"), "deny t/no");
}

TEST(PolicySet, RbacTakesAwayAndGivesNothing) {
  using config::access_level;
  const world all(
      "{name: a, subjects: {user: a}, level: admin, role: r, limits: {rows: 5}}, "
      "{name: r, subjects: {user: r}, level: read}");
  const policy* const admin = all.set->decide(all.ask("a")).by;
  const policy* const reader = all.set->decide(all.ask("r")).by;
  EXPECT_EQ(at_most(admin, access_level::admin), admin);
  EXPECT_EQ(at_most(reader, access_level::admin), reader);
  EXPECT_EQ(at_most(reader, access_level::read), reader);
  const policy* const read = at_most(admin, access_level::read);
  EXPECT_TRUE(read->guard.read_only && read->by_rbac && read->guard.denies(statement_class::roles));
  EXPECT_TRUE(read->guard.role) << "what else it says still holds";
  EXPECT_EQ(read->guard.max_rows, 5U);
  EXPECT_EQ(read->says.name, "a");
  const policy* const write = at_most(admin, access_level::write);
  EXPECT_TRUE(!write->guard.read_only && write->guard.denies(statement_class::roles));
}

TEST(PolicySet, RbacHoldsToItsLevelWithoutPoliciesToo) {
  using config::access_level;
  EXPECT_EQ(at_most(nullptr, access_level::admin), nullptr);
  EXPECT_TRUE(at_most(nullptr, access_level::read)->guard.read_only);
  EXPECT_FALSE(at_most(nullptr, access_level::write)->guard.read_only);
  EXPECT_TRUE(at_most(nullptr, access_level::write)->guard.denies(statement_class::copy_program));
  EXPECT_EQ(at_most(nullptr, access_level::read)->says.level, access_level::read);
}

}  // namespace
}  // namespace trunkline::access
