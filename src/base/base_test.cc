#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/redacted.h"
#include "base/result.h"

namespace trunkline {
namespace {

TEST(Bytes, IntegersAreBigEndian) {
  std::byte buffer[4];
  store_u32(buffer, 80877103);
  EXPECT_EQ(buffer[0], std::byte{0x04});
  EXPECT_EQ(buffer[1], std::byte{0xd2});
  EXPECT_EQ(buffer[2], std::byte{0x16});
  EXPECT_EQ(buffer[3], std::byte{0x2f});
  EXPECT_EQ(load_u32(buffer), 80877103u);
  EXPECT_EQ(load_u16(buffer), 0x04d2);
}

TEST(Sqlstate, IsAlwaysFiveCharacters) {
  EXPECT_EQ(sqlstate("57P01").view(), "57P01");
  EXPECT_EQ(sqlstate("57").view(), "57000");
  EXPECT_EQ(sqlstate("57P01XX").view(), "57P01");
}

TEST(Redacted, MovesAndReveals) {
  secret_text a{std::string("hunter2")};
  secret_text b = std::move(a);
  EXPECT_EQ(b.reveal(), "hunter2");
  EXPECT_TRUE(a.empty());  // NOLINT(bugprone-use-after-move): the moved-from state is part of the promise
}

TEST(Result, CarriesAnError) {
  result<int> r = fail({.code = sqlstates::admin_shutdown, .message = "over"});
  ASSERT_FALSE(r.has_value());
  EXPECT_EQ(r.error().code.view(), "57P01");
}

}  // namespace
}  // namespace trunkline
