#include "pool/health_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

TEST(ParseLsn, IsTwoHexNumbers) {
  EXPECT_EQ(parse_lsn("0/0"), 0U);
  EXPECT_EQ(parse_lsn("16/B374D848"), 0x16B374D848U);
  EXPECT_EQ(parse_lsn("16/b374d848"), 0x16B374D848U);
  EXPECT_EQ(parse_lsn("1/2"), 0x100000002U);
  EXPECT_EQ(parse_lsn("FFFFFFFF/FFFFFFFF"), ~std::uint64_t{0});
}

TEST(ParseLsn, AndNothingElse) {
  for (const char* text : {"", "/", "1", "1/", "/1", "1/2/3", "1/g", "x/1", " 1/2", "1/2 ", "-1/2", "+1/2",
                           "0x1/2", "100000000/0", "0/100000000", "1//2"}) {
    EXPECT_EQ(parse_lsn(text), std::nullopt) << text;
  }
}

RC_GTEST_PROP(ParseLsn, ReadsWhatPostgresPrints, (std::uint64_t lsn)) {
  std::array<char, 32> text{};
  const int size = std::snprintf(text.data(), text.size(), "%X/%08X", static_cast<unsigned>(lsn >> 32),
                                 static_cast<unsigned>(lsn));
  RC_ASSERT(parse_lsn({text.data(), static_cast<std::size_t>(size)}) == lsn);
}

TEST(HealthQuery, ReadsTheControlFileOnlyWhereItMay) {
  EXPECT_THAT(std::string(health_query(true)), HasSubstr("pg_control_system()"));
  EXPECT_THAT(std::string(health_query(false)), Not(HasSubstr("pg_control")));
  for (const bool full : {true, false}) {
    const std::string text(health_query(full));
    EXPECT_THAT(text, testing::StartsWith("SELECT r, "));
    EXPECT_THAT(text, testing::EndsWith(" FROM pg_catalog.pg_is_in_recovery() AS r"));
    EXPECT_THAT(text, Not(HasSubstr(";"))) << "one statement";
  }
}

using texts = std::vector<std::optional<std::string>>;

std::optional<health_answer> read(const texts& row) {
  std::vector<std::optional<byte_span>> made;
  for (const auto& each : row) {
    made.push_back(each ? std::optional(std::as_bytes(std::span(each->data(), each->size()))) : std::nullopt);
  }
  return read_health_row(made);
}

const texts primary{"f",      "0/3000148",  "00000002",   "1700000000123456",
                    "160004", std::nullopt, std::nullopt, "7301234567890123456",
                    "2"};
const texts replica{"t", "0/3000060",           std::nullopt, "1700000000654321", "150010", "250",
                    "f", "7301234567890123456", "11"};

TEST(HealthRow, OfAPrimary) {
  const auto made = read(primary);
  ASSERT_TRUE(made);
  EXPECT_FALSE(made->in_recovery);
  EXPECT_EQ(made->position, 0x3000148U);
  EXPECT_EQ(made->timeline, 2U);
  EXPECT_EQ(made->postmaster_start_us, 1700000000123456);
  EXPECT_EQ(made->version, 160004);
  EXPECT_EQ(made->behind_by_own_clock, std::nullopt);
  EXPECT_FALSE(made->all_received_is_replayed);
  EXPECT_EQ(made->system_identifier, 7301234567890123456U);
}

TEST(HealthRow, OfAReplica) {
  const auto made = read(replica);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->in_recovery);
  EXPECT_EQ(made->position, 0x3000060U);
  EXPECT_EQ(made->timeline, 11U) << "the control file's is decimal";
  EXPECT_EQ(made->behind_by_own_clock, 250ms);
  EXPECT_FALSE(made->all_received_is_replayed);
  auto up_to_date = replica;
  up_to_date[6] = "t";
  EXPECT_TRUE(read(up_to_date)->all_received_is_replayed);
}

TEST(HealthRow, ThePrimarysTimelineIsHexAsInTheNameOfAFile) {
  auto row = primary;
  row[2] = "0000001A";
  EXPECT_EQ(read(row)->timeline, 26U);
}

TEST(HealthRow, AClockThatIsBehindIsNoFuture) {
  auto row = replica;
  row[5] = "-300";
  EXPECT_EQ(read(row)->behind_by_own_clock, 0ms);
}

TEST(HealthRow, WhatCannotBeReadIsNotKnown) {
  for (const char* wrong : {"", "x", "12x", " 1", "99999999999999999999999"}) {
    texts row(9, wrong);
    row[0] = "t";
    const auto made = read(row);
    ASSERT_TRUE(made) << wrong;
    EXPECT_EQ(made->position, 0U);
    EXPECT_EQ(made->timeline, 0U);
    EXPECT_EQ(made->postmaster_start_us, 0);
    EXPECT_EQ(made->version, 0);
    EXPECT_EQ(made->system_identifier, 0U);
    EXPECT_FALSE(made->all_received_is_replayed);
  }
  texts nothing(9);
  nothing[0] = "f";
  const auto made = read(nothing);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->position, 0U);
  EXPECT_EQ(made->system_identifier, 0U);
  EXPECT_EQ(made->behind_by_own_clock, std::nullopt);
}

TEST(HealthRow, AnotherRowIsRefused) {
  EXPECT_FALSE(read({}));
  EXPECT_FALSE(read(texts(9)));
  for (const char* recovery : {"", "true", "T", "1"}) {
    auto row = primary;
    row[0] = recovery;
    EXPECT_FALSE(read(row)) << recovery;
  }
  auto row = primary;
  row.push_back("1");
  EXPECT_FALSE(read(row));
  row.resize(8);
  EXPECT_FALSE(read(row));
}

}  // namespace
}  // namespace trunkline::pool
