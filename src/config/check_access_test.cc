// Access policies that cannot work are refused, and those that nobody reaches are told of.
#include "config/test_support.h"

namespace trunkline::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string policies(const std::string& list) {
  return "access: {policies: [" + list + "]}\n";
}

std::vector<std::string> with_policies(const std::string& list) {
  return with_rest(policies(list));
}

std::vector<std::string> with_policy(const std::string& keys) {
  return with_policies("{name: p, subjects: {user: a}" + (keys.empty() ? "" : ", " + keys) + "}");
}

access load_access(const std::string& rest) {
  const auto made = load_text(sample{.rest = rest}.text(), "t", without_files());
  EXPECT_TRUE(made.value) << made.problems.front().render();
  return made.value ? made.value->access : access{};
}

TEST(CheckAccess, ReadsWhatAPolicySays) {
  const auto read = load_access(
      "access:\n  store: /s\n  policies:\n  - {name: p, subjects: {user: [a, 'b*']}, objects: {route: 'a*', "
      "database: d}, source: 10.0.0.0/8, level: read, role: reader, denied: [ddl, do], maxLength: 8h, "
      "settings: {work_mem: 64MB}, limits: {rows: 10, bytes: 1MiB}, hours: {days: [fri-mon, wed], from: "
      "'22:00', until: '06:30', timeZone: Europe/Berlin}, approval: {allOf: [x, y], count: 2, wait: 5m, "
      "reason: false}}\n");
  ASSERT_EQ(read.policies.size(), 1U);
  const access_policy& one = read.policies[0];
  EXPECT_THAT(one.subjects.users, ElementsAre("a", "b*"));
  EXPECT_EQ(one.level, access_level::read);
  EXPECT_THAT(one.denied, ElementsAre(statement_class::ddl, statement_class::do_block));
  EXPECT_EQ(one.max_length, std::chrono::hours(8));
  EXPECT_EQ(one.max_bytes, 1024U * 1024U);
  ASSERT_TRUE(one.hours);
  EXPECT_EQ(one.hours->days, 0b1110101);
  EXPECT_EQ(one.hours->from, std::chrono::hours(22));
  EXPECT_EQ(one.hours->until, std::chrono::minutes(390));
  ASSERT_TRUE(one.approval);
  EXPECT_EQ(one.approval->count, 2U);
  EXPECT_FALSE(one.approval->reason);
}

TEST(CheckAccess, NoPoliciesAreNone) {
  EXPECT_TRUE(load_access("").policies.empty());
  EXPECT_TRUE(load_access("access: {}\n").policies.empty());
}

TEST(CheckAccess, SaysWhatIsMissing) {
  EXPECT_THAT(with_policies("{name: p}"),
              ElementsAre(HasSubstr("access.policies[0].subjects: is missing (expected a mapping)")));
  EXPECT_THAT(with_policies("{name: p, subjects: {}}"),
              ElementsAre(HasSubstr("access.policies[0].subjects: names nobody (expected user, group, "
                                    "serviceAccount or spiffe)")));
  EXPECT_THAT(with_policies("{subjects: {user: a}}"),
              ElementsAre(HasSubstr("access.policies[0].name: is missing")));
  EXPECT_THAT(with_policies("{name: p, subjects: {user: a}}, {name: p, subjects: {user: b}}"),
              ElementsAre(HasSubstr("access.policies[1].name: `p` is also the name of access.policies[0]")));
}

TEST(CheckAccess, RefusesRoutesThatAreNot) {
  EXPECT_THAT(with_policy("objects: {route: ap}"),
              ElementsAre(HasSubstr("access.policies[0].objects.route: `ap` is no route, did you mean `app`? "
                                    "(expected app)")));
  EXPECT_THAT(with_policy("objects: {route: 'x*'}"),
              ElementsAre(HasSubstr("`x*` is no route (expected app)")));
  EXPECT_THAT(with_policy("objects: {route: 'a*'}"), IsEmpty());
}

TEST(CheckAccess, RefusesSubjectsThatNoRouteTells) {
  EXPECT_THAT(
      with_policies("{name: p, subjects: {group: dba}}"),
      ElementsAre(HasSubstr("subjects.group: no route that it is for knows the groups of its clients")));
  EXPECT_THAT(
      with_policies("{name: p, subjects: {serviceAccount: a/b}}"),
      ElementsAre(HasSubstr("subjects.serviceAccount: no route that it is for has method kubernetes")));
  EXPECT_THAT(with_policies("{name: p, subjects: {spiffe: 'spiffe://a/b'}}"),
              ElementsAre(HasSubstr("subjects.spiffe: no route that it is for has method cert or jwt")));
  const auto with_groups = [](const std::string& list) {
    return problems_of(sample{.route = "{name: app, upstream: db, auth: {method: jwt, jwt: {issuer: "
                                       "'https://i', audience: db, groupsClaim: groups}}}",
                              .rest = policies(list)}
                           .text());
  };
  EXPECT_THAT(with_groups("{name: p, subjects: {group: dba}}"), IsEmpty());
  EXPECT_THAT(with_groups("{name: p, subjects: {spiffe: 'https://a'}}"),
              ElementsAre(HasSubstr("`https://a` is no SPIFFE ID")));
}

TEST(CheckAccess, RefusesWrongHours) {
  EXPECT_THAT(with_policy("hours: {days: [monday]}"),
              ElementsAre(HasSubstr("hours.days: `monday` is no day (expected mon to sun, or a range such as "
                                    "mon-fri)")));
  EXPECT_THAT(with_policy("hours: {from: '8:00'}"),
              ElementsAre(HasSubstr("hours.from: `8:00` is not a time of the day")));
  EXPECT_THAT(with_policy("hours: {until: '24:01'}"),
              ElementsAre(HasSubstr("hours.until: `24:01` is not a time of the day")));
  EXPECT_THAT(with_policy("hours: {from: '08:00', until: '08:00'}"),
              ElementsAre(HasSubstr("hours: begin when they end")));
  EXPECT_THAT(with_policy("hours: {from: '24:00', until: '08:00'}"),
              ElementsAre(HasSubstr("hours.from: is the end of the day")));
  auto options = without_files();
  options.check_files = true;
  const auto made = load_text(
      sample{.rest = policies("{name: p, subjects: {user: a}, hours: {timeZone: Mars/Olympus}}")}.text(), "t",
      options);
  ASSERT_EQ(made.problems.size(), 1U);
  EXPECT_THAT(made.problems[0].render(), HasSubstr("`Mars/Olympus` is no time zone of this system"));
}

TEST(CheckAccess, RefusesWhatHasNoUseOrIsNotForAPolicy) {
  EXPECT_THAT(with_policy("effect: deny, role: r, replication: true"),
              ElementsAre(HasSubstr("policies[0].role: has no use in a policy that denies"),
                          HasSubstr("policies[0].replication: has no use in a policy that denies")));
  EXPECT_THAT(with_policy("denied: [dll]"),
              ElementsAre(HasSubstr("denied: `dll` is no class of statements (expected ddl, copyProgram, do, "
                                    "roles or unqualifiedWrite)")));
  for (const char* name : {"role", "ROLE", "default_transaction_read_only", "standard_conforming_strings"}) {
    EXPECT_THAT(with_policy(std::string("settings: {") + name + ": x}"),
                ElementsAre(HasSubstr(std::string("settings: `") + name + "` is not for a policy to set")));
  }
  EXPECT_THAT(with_policy("role: none"), ElementsAre(HasSubstr("role: `none` is no role")));
}

TEST(CheckAccess, ApprovalsNeedSomebodyAndAStore) {
  EXPECT_THAT(
      with_policy("approval: {anyOf: dba}"),
      ElementsAre(HasSubstr(
          "approval: requests have nowhere to be kept (expected access.store, or kubernetes.requests)")));
  const auto stored = [](const std::string& approval) {
    return with_rest("access: {store: /s, policies: [{name: p, subjects: {user: a}, approval: {" + approval +
                     "}}]}\n");
  };
  EXPECT_THAT(stored("anyOf: dba"), IsEmpty());
  EXPECT_THAT(stored("reason: true"), ElementsAre(HasSubstr("approval: nobody may approve")));
  EXPECT_THAT(stored("allOf: [a, b], count: 3"),
              ElementsAre(HasSubstr("approval.count: wants 3 approvals, and allOf has 2 groups")));
  EXPECT_THAT(stored("allOf: [a, b], anyOf: c, count: 3"), IsEmpty());
}

TEST(CheckAccess, WebhooksAreHttps) {
  EXPECT_THAT(with_rest("access: {webhooks: [{url: 'http://example.org/x'}]}\n"),
              ElementsAre(HasSubstr("access.webhooks[0].url: could be read by whoever is on the way")));
  EXPECT_THAT(with_rest("access: {webhooks: [{url: 'http://127.0.0.1:1/x', format: slack}, {url: "
                        "'https://example.org'}]}\n"),
              IsEmpty());
}

TEST(CheckAccess, AWebhookHasItsUrlInOnePlace) {
  EXPECT_THAT(with_rest("access: {webhooks: [{format: slack}]}\n"),
              ElementsAre(HasSubstr("access.webhooks[0].url: is missing")));
  EXPECT_THAT(with_rest("access: {webhooks: [{url: 'https://a', urlFile: /x}]}\n"),
              ElementsAre(HasSubstr("access.webhooks[0].url: stands beside urlFile; only one can hold")));
  EXPECT_THAT(with_rest("access: {webhooks: [{urlFile: /x}]}\n"), IsEmpty());
}

TEST(CheckAccess, TheApiBelievesAnIssuerThatNobodyCanPlay) {
  EXPECT_THAT(
      with_rest("admin: {jwt: {issuer: 'http://idp.example.org', audience: a, algorithms: [none]}}\n"),
      testing::UnorderedElementsAre(
          HasSubstr("admin.jwt.issuer: could be changed by whoever is on the way"),
          HasSubstr("admin.jwt.algorithms: `none` is not a signature that counts")));
  EXPECT_THAT(
      with_rest("admin: {jwt: {issuer: 'https://idp', audience: a, jwksFile: /k, jwksUri: 'https://k'}}\n"),
      ElementsAre(HasSubstr("admin.jwt.jwksUri: stands beside jwksFile")));
  EXPECT_THAT(with_rest("admin: {jwt: {issuer: 'https://idp', audience: a}}\n"), IsEmpty());
}

TEST(CheckAccess, PassthroughHidesWhoClientsAre) {
  EXPECT_THAT(problems_of(sample{.listener = "{name: main, address: '0.0.0.0:1', tls: {mode: passthrough}}",
                                 .rest = policies("{name: p, subjects: {user: a}}")}
                              .text()),
              testing::Contains(HasSubstr("listeners[0].tls.mode: passthrough hides who the clients are")));
}

TEST(CheckAccess, TellsOfPoliciesThatNobodyReaches) {
  const auto warned = [](const std::string& list) {
    return warnings_of(sample{.rest = policies(list)}.text());
  };
  EXPECT_THAT(
      warned("{name: a, subjects: {user: '*'}}, {name: b, subjects: {user: x}, objects: {database: d}}"),
      ElementsAre(HasSubstr("access.policies[1]: never decides: access.policies[0] (a) before it takes "
                            "all that fits here (expected the narrower policy first)")));
  EXPECT_THAT(warned("{name: a, subjects: {user: 'x*'}}, {name: b, effect: deny, subjects: {user: xy}}"),
              ElementsAre(HasSubstr("and says the opposite")));
  // None of these takes all of the second.
  EXPECT_THAT(warned("{name: a, subjects: {user: x}}, {name: b, subjects: {user: ['x', y]}}"), IsEmpty());
  EXPECT_THAT(
      warned("{name: a, subjects: {user: x}, objects: {database: d}}, {name: b, subjects: {user: x}}"),
      IsEmpty());
  EXPECT_THAT(warned("{name: a, subjects: {user: x}, source: 10.0.0.0/8}, {name: b, subjects: {user: x}}"),
              IsEmpty());
  EXPECT_THAT(warned("{name: a, subjects: {user: x}, hours: {}}, {name: b, subjects: {user: x}}"), IsEmpty());
  EXPECT_THAT(warned("{name: a, subjects: {user: x}}, {name: b, subjects: {user: x}, replication: true}"),
              IsEmpty());
  EXPECT_THAT(
      warned("{name: a, subjects: {user: x}}, {name: b, effect: deny, subjects: {user: x}}, {name: c, "
             "subjects: {user: y}, replication: true}"),
      IsEmpty());
  EXPECT_THAT(warned("{name: a, effect: deny, subjects: {user: x}}, {name: b, subjects: {user: x}, "
                     "replication: true}"),
              ElementsAre(HasSubstr("access.policies[1]: never decides")));
}

}  // namespace
}  // namespace trunkline::config
