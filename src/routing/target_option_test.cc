#include "routing/target_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace trunkline::routing {
namespace {

using config::route_target;

std::string found(std::string_view options, std::string_view name = "a") {
  return find_option(options, name).value_or("(none)");
}

TEST(FindOption, ReadsTheFormsThatPostgresTakes) {
  EXPECT_EQ(found("-c a=b"), "b");
  EXPECT_EQ(found("-ca=b"), "b");
  EXPECT_EQ(found("--a=b"), "b");
  EXPECT_EQ(found("  -c\t\n\v\f\r a=b  "), "b");
  EXPECT_EQ(found("-c geqo=off --a=b -c work_mem=1MB"), "b");
  EXPECT_EQ(found("-c a="), "");
  EXPECT_EQ(found("-c a=b=c"), "b=c");
  EXPECT_EQ(found("-c trunkline.target=any", "trunkline.target"), "any");
}

TEST(FindOption, WhatIsNoSuchSettingIsPassedOver) {
  for (const char* options : {"", " ", "-c", "-c a", "--a", "--a b", "a=b", "-a=b", "-c aa=b", "-c A=b",
                              "-d 5", "-c b=a=c", "-c -c a=b", "\\", "-c x=\\ --a=b"}) {
    EXPECT_EQ(found(options), "(none)") << options;
  }
}

TEST(FindOption, TheLastOneWins) {
  EXPECT_EQ(found("-c a=1 --a=2"), "2");
  EXPECT_EQ(found("--a=1 -ca=2 -c b=3"), "2");
}

TEST(FindOption, ABackslashKeepsWhatFollows) {
  EXPECT_EQ(found("-c a=b\\ c"), "b c");
  EXPECT_EQ(found("-c a=b\\\\c"), "b\\c");
  EXPECT_EQ(found("-c a=b\\\\ -c x=y"), "b\\");
  EXPECT_EQ(found("-c a=\\b"), "b");
  EXPECT_EQ(found("-c a\\=b"), "b");
  EXPECT_EQ(found("-c\\ a=b"), "(none)");  // one word, and its setting is called " a"
  EXPECT_EQ(found("-c \\ \\ =b", "  "), "b");
  EXPECT_EQ(found("-c a=b\\"), "b");  // as pg_split_opts: nothing follows, nothing is kept
}

TEST(FindOption, DashAndUnderscoreAreTheSame) {
  EXPECT_EQ(found("--work-mem=1MB", "work_mem"), "1MB");
  EXPECT_EQ(found("-c work-mem=1MB", "work_mem"), "1MB");
  EXPECT_EQ(found("--work_mem=a-b_c", "work_mem"), "a-b_c");
}

// ---- the target of a session ----

config::route to(route_target target) {
  config::route made;
  made.name = "app";
  made.target = target;
  return made;
}

protocol::startup_message startup(std::vector<protocol::startup_parameter> parameters) {
  protocol::startup_message made;
  made.parameters = std::move(parameters);
  return made;
}

TEST(TargetOf, IsTheRoutesWhereTheClientSaysNothing) {
  for (const auto target :
       {route_target::primary, route_target::replica, route_target::prefer_replica, route_target::any}) {
    EXPECT_EQ(target_of(to(target), startup({})), target);
    EXPECT_EQ(target_of(to(target), startup({{"options", "-c geqo=off"}, {"target", "any"}})), target);
  }
}

TEST(TargetOf, TheClientMayWish) {
  const struct {
    const char* word;
    route_target target;
  } all[] = {{"primary", route_target::primary},
             {"replica", route_target::replica},
             {"preferReplica", route_target::prefer_replica},
             {"any", route_target::any}};
  for (const auto from : {route_target::primary, route_target::prefer_replica, route_target::any}) {
    for (const auto& each : all) {
      EXPECT_EQ(target_of(to(from), startup({{"trunkline.target", each.word}})), each.target);
      const std::string options = std::string("-c trunkline.target=") + each.word;
      EXPECT_EQ(target_of(to(from), startup({{"options", options}})), each.target);
    }
  }
}

TEST(TargetOf, AParameterOfItsOwnIsStrongerThanOptions) {
  const auto both = startup({{"trunkline.target", "any"}, {"options", "--trunkline.target=replica"}});
  EXPECT_EQ(target_of(to(route_target::primary), both), route_target::any);
}

TEST(TargetOf, ARouteToReplicasLeadsNowhereElse) {
  const auto route = to(route_target::replica);
  EXPECT_EQ(target_of(route, startup({{"trunkline.target", "replica"}})), route_target::replica);
  for (const char* word : {"primary", "preferReplica", "any"}) {
    const auto made = target_of(route, startup({{"trunkline.target", word}}));
    ASSERT_FALSE(made) << word;
    EXPECT_EQ(made.error().code.view(), "28000");
    EXPECT_EQ(made.error().source, error_source::client);
    EXPECT_EQ(made.error().reaction, error_reaction::reject);
    EXPECT_THAT(made.error().message, testing::HasSubstr("\"app\""));
    EXPECT_FALSE(made.error().hint.empty());
  }
}

TEST(TargetOf, AnotherWordIsRefused) {
  for (const char* word : {"", "master", "Primary", "prefer_replica", "replica "}) {
    const auto made = target_of(to(route_target::any), startup({{"trunkline.target", word}}));
    ASSERT_FALSE(made) << word;
    EXPECT_EQ(made.error().code.view(), "22023");
    EXPECT_EQ(made.error().reaction, error_reaction::reject);
    EXPECT_THAT(made.error().hint, testing::HasSubstr("preferReplica"));
  }
}

}  // namespace
}  // namespace trunkline::routing
