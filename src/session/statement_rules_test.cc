#include "session/statement_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::session {
namespace {

using config::statement_class;
using sql::bit;
using sql::guard_fact;

access::guard_rules denying(std::initializer_list<statement_class> all) {
  access::guard_rules made;
  for (const auto each : all)
    made.denied = static_cast<std::uint8_t>(made.denied | 1U << static_cast<unsigned>(each));
  return made;
}

TEST(StatementRules, WhatIsNotDeniedMayRun) {
  EXPECT_EQ(judge(denying({statement_class::ddl}), 0), std::nullopt);
  EXPECT_EQ(judge(denying({statement_class::ddl}), bit(guard_fact::unqualified_write)), std::nullopt);
  EXPECT_EQ(judge(denying({statement_class::ddl}), bit(guard_fact::leaves_role)), std::nullopt);
  EXPECT_EQ(judge(denying({statement_class::ddl}), bit(guard_fact::leaves_read_only)), std::nullopt);
}

TEST(StatementRules, EachClassIsDeniedByItsName) {
  EXPECT_EQ(judge(denying({statement_class::ddl}), bit(guard_fact::ddl)), statement_refusal::ddl);
  EXPECT_EQ(judge(denying({statement_class::copy_program}), bit(guard_fact::server_files)),
            statement_refusal::copy_program);
  EXPECT_EQ(judge(denying({statement_class::do_block}), bit(guard_fact::code)), statement_refusal::do_block);
  EXPECT_EQ(judge(denying({statement_class::unqualified_write}), bit(guard_fact::unqualified_write)),
            statement_refusal::unqualified_write);
  const auto role = bit(guard_fact::roles) | bit(guard_fact::ddl);
  EXPECT_EQ(judge(denying({statement_class::roles}), role), statement_refusal::roles);
  EXPECT_EQ(judge(denying({statement_class::ddl}), role), statement_refusal::ddl);
}

TEST(StatementRules, RoleAndReadOnlyAreKept) {
  EXPECT_EQ(judge({.role = true}, bit(guard_fact::leaves_role)), statement_refusal::role);
  EXPECT_EQ(judge({.read_only = true}, bit(guard_fact::leaves_read_only)), statement_refusal::read_only);
  EXPECT_EQ(judge({.role = true}, bit(guard_fact::leaves_read_only)), std::nullopt);
  EXPECT_EQ(judge({.read_only = true}, bit(guard_fact::large_objects)), statement_refusal::read_only);
  EXPECT_EQ(judge(denying({statement_class::ddl}), bit(guard_fact::large_objects)), std::nullopt);
}

TEST(StatementRules, DoubtAndWhatCannotBeFollowedAreDeniedAlways) {
  for (const auto& rules : {access::guard_rules{.role = true}, access::guard_rules{.read_only = true},
                            denying({statement_class::ddl})}) {
    EXPECT_EQ(judge(rules, bit(guard_fact::doubt)), statement_refusal::unreadable);
    EXPECT_EQ(judge(rules, bit(guard_fact::any_setting)), statement_refusal::setting);
    EXPECT_EQ(judge(rules, bit(guard_fact::lexical)), statement_refusal::setting);
    EXPECT_EQ(judge(rules, bit(guard_fact::runs_text)), statement_refusal::hidden);
  }
}

TEST(StatementRules, TheClientIsToldThePolicy) {
  access::policy by;
  by.says.name = "readers";
  const error told = refusal_error(statement_refusal::ddl, by);
  EXPECT_EQ(told.code.view(), "42501");
  EXPECT_THAT(told.message, testing::HasSubstr("access policy \"readers\" does not allow"));
  EXPECT_EQ(failing_text(by), "SELECT \"refused by access policy\".\"readers\"");
}

TEST(StatementRules, ReplicationCommandsAreKnownByTheirFirstWord) {
  for (const char* text : {"IDENTIFY_SYSTEM", " \n start_replication slot x", "BASE_BACKUP (label 'x')",
                           "SHOW work_mem", "IDENTIFY_SYSTEM;"})
    EXPECT_TRUE(is_replication_command(text)) << text;
  for (const char* text :
       {"", "select 1", "/* x */ IDENTIFY_SYSTEM", "IDENTIFY_SYSTEMS", "drop table t", "\"IDENTIFY_SYSTEM\""})
    EXPECT_FALSE(is_replication_command(text)) << text;
}

}  // namespace
}  // namespace trunkline::session
