#include "session/ephemeral_role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::session {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

grants::record grant_of(const std::string& principal, const std::string& role = "") {
  grants::record made;
  made.id = 12;
  made.what.principal = principal;
  made.role = role;
  made.until = grants::wall_time(std::chrono::seconds(1'800'000'000));
  return made;
}

config::route route_with(config::ephemeral_roles roles) {
  config::route made;
  made.name = "app";
  made.upstream = "db";
  made.login.emplace();
  made.login->ephemeral = std::move(roles);
  return made;
}

ephemeral_role made_for(const std::string& principal) {
  return role_of(grant_of(principal), route_with({.prefix = "jit_"}), "app", "0badcafe");
}

TEST(EphemeralRole, ItsNameShowsThePerson) {
  EXPECT_EQ(made_for("alice@example.org").name, "jit_alice@example.org_12_0badcafe");
  EXPECT_EQ(made_for("a\nb\x1b\"").name, "jit_a_b_\"_12_0badcafe");
}

TEST(EphemeralRole, ALongNameIsCutBehindAWholeCharacterAndStaysUnique) {
  const std::string name = made_for(std::string(46, 'x') + "é" + std::string(200, 'y')).name;
  EXPECT_EQ(name, "jit_" + std::string(46, 'x') + "_12_0badcafe");
  EXPECT_LE(name.size(), 63u);
  EXPECT_EQ(made_for(std::string(200, 'y')).name.size(), 63u);
  EXPECT_EQ(made_for(std::string(200, '\xff')).name.size(), 4 + 3 * 15 + 12u) << "whole U+FFFD only";
}

TEST(EphemeralRole, ItIsAMemberOfThePolicysRoleFirstAndOfEachOnce) {
  const auto made =
      role_of(grant_of("alice", "writers"), route_with({.member_of = {"readers", "writers"}}), "app", "1");
  EXPECT_THAT(made.member_of, ElementsAre("writers", "readers"));
  EXPECT_EQ(made.reassign_to, "writers");
  const auto given = role_of(grant_of("alice", "writers"), route_with({.reassign_to = "owner"}), "app", "1");
  EXPECT_EQ(given.reassign_to, "owner");
  EXPECT_EQ(made_for("alice").reassign_to, "");
}

TEST(EphemeralRole, WhatComesFromOutsideIsQuoted) {
  auto role = made_for("x\"; DROP ROLE postgres; --");
  role.database = "d'b";
  role.member_of = {"r\"1"};
  const auto sql = make_statement(role, random_role_keys(), "me");
  EXPECT_THAT(sql.reveal(), HasSubstr("CREATE ROLE \"jit_x\"\"; DROP ROLE postgres; --_12_0badcafe\" LOGIN"));
  EXPECT_THAT(sql.reveal(), HasSubstr("GRANT \"r\"\"1\" TO \"jit_x\"\""));
  EXPECT_THAT(sql.reveal(), HasSubstr("database d''b'"));
  EXPECT_THAT(sql.reveal(), HasSubstr("VALID UNTIL E'2027-01-15T08:00:00.000Z'"));
}

TEST(EphemeralRole, TheServerGetsAVerifierOfKeysThatAreTheProcesssOwn) {
  const auto keys = random_role_keys();
  const auto other = random_role_keys();
  EXPECT_NE(keys.keys.client_key.reveal(), other.keys.client_key.reveal());
  const auto role = made_for("alice");
  const std::string sql = make_statement(role, keys, "me").reveal();
  const auto begin = sql.find("SCRAM-SHA-256$");
  ASSERT_NE(begin, std::string::npos);
  const auto told = auth::parse_verifier(sql.substr(begin, sql.find('\'', begin) - begin));
  ASSERT_TRUE(told);
  EXPECT_TRUE(keys.are_for(told->salt, told->iterations));
  EXPECT_EQ(told->stored_key.reveal(),
            auth::verifier_of(keys.keys, keys.salt, keys.iterations).stored_key.reveal());
}

TEST(EphemeralRole, WhatIsLeftBehindIsKnownByItsComment) {
  const auto found = orphan_of("trunkline: grant 12, gateway ab, database my, database x");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->grant, 12);
  EXPECT_EQ(found->database, "my, database x");
  for (const char* other :
       {"", "a role", "trunkline: grant ", "trunkline: grant 12", "trunkline: grant x, database a",
        "trunkline: grant 12, gateway a", "trunkline: grant 99999999999999999999, database a"})
    EXPECT_FALSE(orphan_of(other)) << other;
}

TEST(EphemeralRole, NothingIsReassignedWhereNothingIsOwned) {
  EXPECT_THAT(drop_statement("r", ""), Not(HasSubstr("REASSIGN")));
  EXPECT_EQ(drop_statement("r", "o"),
            "BEGIN; REASSIGN OWNED BY \"r\" TO \"o\"; DROP OWNED BY \"r\"; DROP ROLE \"r\"; COMMIT");
}

}  // namespace
}  // namespace trunkline::session
