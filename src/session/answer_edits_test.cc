#include "session/answer_edits.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"
#include "session/client_statements.h"

namespace trunkline::session {
namespace {

std::string due(answer_edits& edits, std::uint64_t current) {
  const auto bytes = edits.take_due(current);
  return std::string(as_text(bytes));
}

TEST(AnswerEdits, WhatIsPutInComesBehindWhatWasAskedBefore) {
  answer_edits edits;
  edits.put_in(3, as_bytes("a"));
  edits.put_in(3, as_bytes("b"));
  edits.put_in(5, as_bytes("c"));
  EXPECT_EQ(due(edits, 3), "");
  EXPECT_EQ(due(edits, 4), "ab");
  EXPECT_EQ(due(edits, 5), "");
  EXPECT_EQ(due(edits, 0), "c") << "the server owes nothing: all of it is due";
  EXPECT_TRUE(edits.empty());
}

TEST(AnswerEdits, SwallowsEachOnce) {
  answer_edits edits;
  edits.swallow(2);
  edits.swallow(4);
  EXPECT_FALSE(edits.swallows(1));
  EXPECT_TRUE(edits.swallows(2));
  EXPECT_FALSE(edits.swallows(2));
  EXPECT_TRUE(edits.swallows(4));
  EXPECT_TRUE(edits.empty());
}

TEST(AnswerEdits, AFailureTakesAwayWhatTheServerSkips) {
  answer_edits edits;
  edits.put_in(1, as_bytes("before"));
  edits.put_in(2, as_bytes("skipped"));
  edits.swallow(3);
  edits.put_in(5, as_bytes("behind the Sync"));
  edits.swallow(6);
  edits.fail(2, 4);
  EXPECT_EQ(due(edits, 2), "before");
  EXPECT_FALSE(edits.swallows(3));
  EXPECT_EQ(due(edits, 6), "behind the Sync");
  EXPECT_TRUE(edits.swallows(6));
}

TEST(AnswerEdits, WithoutASyncAllThatFollowsIsSkipped) {
  answer_edits edits;
  edits.put_in(2, as_bytes("x"));
  edits.swallow(9);
  edits.fail(2, 0);
  EXPECT_TRUE(edits.empty());
}

client_statements::entry numbered(std::uint64_t id) {
  return std::make_shared<pool::statement>(pool::statement{.id = id, .name = "", .content = "text"});
}

TEST(ClientStatements, TakesBackWhatWasSkipped) {
  client_statements all;
  const auto one = numbered(1);
  const auto two = numbered(2);
  all.add("a", one, 1);
  all.settle();
  all.remove("a", 5);
  all.add("a", two, 6);
  all.add("b", two, 9);
  EXPECT_EQ(all.find("a"), two);
  all.take_back(5, 8);
  EXPECT_EQ(all.find("a"), one);
  EXPECT_EQ(all.find("b"), two) << "it stands behind the Sync";
  all.take_back(9, 0);
  EXPECT_EQ(all.find("b"), nullptr);
  EXPECT_EQ(all.size(), 1u);
}

TEST(ClientStatements, HasLimits) {
  client_statements all;
  for (std::size_t i = 0; i < limits::prepared_per_session; ++i)
    all.add("s" + std::to_string(i), numbered(i), 1);
  EXPECT_TRUE(all.within_limits());
  all.add("one more", numbered(0), 1);
  EXPECT_FALSE(all.within_limits());
  all.clear();
  EXPECT_TRUE(all.within_limits());
  auto large = std::make_shared<pool::statement>();
  large->content.resize(limits::prepared_bytes_per_session + 1);
  all.add("large", std::move(large), 1);
  EXPECT_FALSE(all.within_limits());
}

}  // namespace
}  // namespace trunkline::session
