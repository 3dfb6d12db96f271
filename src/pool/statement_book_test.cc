#include "pool/statement_book.h"

#include <gtest/gtest.h>

namespace trunkline::pool {
namespace {

byte_span content_of(std::string_view text) {
  return as_bytes(text);
}

TEST(StatementBook, TheMostUsedComeFirstWithTheirUsers) {
  statement_book book;
  const auto once = book.find_or_add(content_of("select 1"));
  const auto twice = book.find_or_add(content_of("select 2"));
  const auto again = book.find_or_add(content_of("select 2"));
  EXPECT_EQ(twice, again);
  auto all = book.most_used(10);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].which, twice);
  EXPECT_EQ(all[0].uses, 2U);
  EXPECT_EQ(all[0].users, 2U) << "the list itself is none";
  EXPECT_EQ(all[1].uses, 1U);
  EXPECT_EQ(book.most_used(1).size(), 1U);
}

TEST(StatementBook, WhatNobodyHasIsNotThere) {
  statement_book book;
  {
    const auto passing = book.find_or_add(content_of("select 1"));
  }
  EXPECT_TRUE(book.most_used(10).empty());
  EXPECT_EQ(book.size(), 0U);
  const auto anew = book.find_or_add(content_of("select 1"));
  EXPECT_EQ(book.most_used(10)[0].uses, 1U);
}

}  // namespace
}  // namespace trunkline::pool
