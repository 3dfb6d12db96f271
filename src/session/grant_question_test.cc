#include "session/grant_question.h"

#include <gmock/gmock.h>

namespace trunkline::session {
namespace {

protocol::startup_message startup(std::vector<protocol::startup_parameter> parameters) {
  protocol::startup_message made;
  made.parameters = std::move(parameters);
  return made;
}

access::policy policy() {
  access::policy made;
  made.says.name = "prod";
  made.says.approval.emplace();
  made.says.max_length = std::chrono::hours(1);
  return made;
}

TEST(GrantQuestion, AReasonComesFromOptionsOrApplicationName) {
  EXPECT_EQ(reason_of(startup({{"options", "-c trunkline.reason=incident\\ 7 -c work_mem=1MB"}})),
            "incident 7");
  EXPECT_EQ(reason_of(startup({{"application_name", "psql reason=incident 8"}})), "incident 8");
  EXPECT_EQ(reason_of(startup({{"options", "-c trunkline.reason=a"}, {"application_name", "reason=b"}})),
            "a");
  EXPECT_EQ(reason_of(startup({{"application_name", "psql"}})), "");
  EXPECT_EQ(reason_of(startup({{"options", "--wrong -z"}, {"application_name", "reason=b"}})), "b");
}

TEST(GrantQuestion, NamesWhoWantsWhat) {
  const auth::identity alice{.principal = "alice@example.org", .groups = {"dev"}};
  config::route route;
  route.name = "r";
  const auto asked =
      question_of({.who = &alice, .user = "app", .database = "d", .client = "10.0.0.1:1", .reason = "why"},
                  route, policy());
  EXPECT_EQ(asked.what.principal, "alice@example.org");
  EXPECT_EQ(asked.what.user, "app");
  EXPECT_EQ(asked.what.route, "r");
  EXPECT_EQ(asked.length, std::chrono::hours(1));
  EXPECT_EQ(asked.groups, std::vector<std::string>{"dev"});
}

TEST(GrantQuestion, WhatThePolicyGivesIsPartOfIt) {
  const access_asker asker{.who = nullptr, .user = "alice", .database = "d", .client = "", .reason = ""};
  const config::route route;
  const auto plain = question_of(asker, route, policy()).what;
  EXPECT_EQ(plain, question_of(asker, route, policy()).what);
  auto other = policy();
  other.says.level = config::access_level::admin;
  EXPECT_NE(plain.terms, question_of(asker, route, other).what.terms);
  other = policy();
  other.parameters = {{"role", "boss"}};
  EXPECT_NE(plain.terms, question_of(asker, route, other).what.terms);
  other = policy();
  other.guard.denied = 1;
  EXPECT_NE(plain.terms, question_of(asker, route, other).what.terms);
}

}  // namespace
}  // namespace trunkline::session
