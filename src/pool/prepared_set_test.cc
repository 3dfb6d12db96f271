#include "pool/prepared_set.h"

#include <gtest/gtest.h>

namespace trunkline::pool {
namespace {

statement numbered(std::uint64_t id) {
  return {.id = id, .name = "s" + std::to_string(id), .content = ""};
}

TEST(PreparedSet, TheOneThatWasNotUsedForLongestGoesFirst) {
  prepared_set set;
  for (std::uint64_t id : {1, 2, 3})
    set.add(numbered(id), 0);
  EXPECT_TRUE(set.use(1, 0));
  EXPECT_EQ(set.evict(3), std::nullopt);
  EXPECT_EQ(set.evict(2), "s2");
  EXPECT_FALSE(set.has(2));
  EXPECT_FALSE(set.use(2, 0));
  EXPECT_EQ(set.evict(1), "s3");
  EXPECT_EQ(set.size(), 1u);
}

TEST(PreparedSet, WhatIsOlderThanTheSchemaIsNotAsNewAsThat) {
  prepared_set set;
  set.add(numbered(1), 4);
  EXPECT_TRUE(set.use(1, 4));
  EXPECT_FALSE(set.use(1, 5));
  EXPECT_TRUE(set.has(1));
  set.add(numbered(1), 5);
  EXPECT_TRUE(set.use(1, 5));
  EXPECT_EQ(set.size(), 1u);
  set.clear();
  EXPECT_FALSE(set.has(1));
}

TEST(StatementBook, TheSameContentIsTheSameStatementAsLongAsSomebodyUsesIt) {
  statement_book book;
  const auto content = as_bytes(std::string_view("select 1\0\0\0", 11));
  auto one = book.find_or_add(content);
  auto two = book.find_or_add(content);
  auto other = book.find_or_add(as_bytes(std::string_view("select 2\0\0\0", 11)));
  EXPECT_EQ(one, two);
  EXPECT_NE(one->name, other->name);
  EXPECT_EQ(one->text(), "select 1");
  EXPECT_EQ(book.size(), 2u);
  const auto name = one->name;
  one.reset();
  EXPECT_EQ(book.size(), 2u);
  two.reset();
  EXPECT_EQ(book.size(), 1u);
  EXPECT_NE(book.find_or_add(content)->name, name);
}

}  // namespace
}  // namespace trunkline::pool
