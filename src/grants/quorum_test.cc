#include "grants/quorum.h"

#include <gmock/gmock.h>

namespace trunkline::grants {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

config::access_approval rule_of(std::vector<std::string> any_of, std::vector<std::string> all_of = {},
                                unsigned count = 1) {
  config::access_approval made;
  made.any_of = std::move(any_of);
  made.all_of = std::move(all_of);
  made.count = count;
  return made;
}

approval by(std::string name, std::vector<std::string> as) {
  return {.by = std::move(name), .when = {}, .reason = {}, .as = std::move(as)};
}

TEST(quorum, entries_are_globs_over_groups_and_names) {
  const auto rule = rule_of({"dba-*", "bob"}, {"leads"});
  EXPECT_THAT(entries_of(rule, {.principal = "bob", .groups = {"dba-eu"}}), ElementsAre("dba-*", "bob"));
  EXPECT_THAT(entries_of(rule, {.principal = "carol", .groups = {"leads"}}), ElementsAre("leads"));
  EXPECT_THAT(entries_of(rule, {.principal = "dave", .groups = {"dev"}}), IsEmpty());
}

TEST(quorum, who_asked_does_not_count_even_where_it_was_recorded) {
  const auto rule = rule_of({"dba"});
  EXPECT_FALSE(is_met(rule, "alice", {by("Alice", {"dba"})}));
  EXPECT_TRUE(is_met(rule, "alice", {by("bob", {"dba"})}));
}

TEST(quorum, all_of_and_count_and_any_of_hold_together) {
  const auto rule = rule_of({"security"}, {"dba", "leads"}, 3);
  std::vector<approval> given{by("a", {"dba"}), by("b", {"leads"})};
  EXPECT_FALSE(is_met(rule, "x", given));
  given.push_back(by("c", {"dba"}));
  EXPECT_FALSE(is_met(rule, "x", given));
  given.push_back(by("d", {"security"}));
  EXPECT_TRUE(is_met(rule, "x", given));
}

TEST(quorum, a_rule_without_approvers_is_never_met_by_nobody) {
  EXPECT_FALSE(is_met({}, "x", {}));
  EXPECT_FALSE(is_met(rule_of({}, {}, 0), "x", {}));
}

TEST(quorum, says_what_is_missing) {
  record of;
  of.what.principal = "alice";
  of.rule = rule_of({"dba", "leads"});
  EXPECT_EQ(what_is_missing(of), "somebody of dba or leads");
  of.rule = rule_of({"dba"}, {}, 2);
  EXPECT_EQ(what_is_missing(of), "2 approvals, among them somebody of dba");
  of.approvals = {by("bob", {"dba"})};
  EXPECT_EQ(what_is_missing(of), "1 more approval");
}

}  // namespace
}  // namespace trunkline::grants
