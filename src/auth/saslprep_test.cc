#include "auth/saslprep.h"

#include <gtest/gtest.h>

#include <string>

namespace trunkline::auth {
namespace {

std::string prepared(std::string_view password) {
  return prepare_password(password).reveal();
}

TEST(Saslprep, AsciiStaysAsItIs) {
  EXPECT_EQ(prepared("user name,=\"' "), "user name,=\"' ");
  EXPECT_EQ(prepared(""), "");
  EXPECT_EQ(prepared("\x07"), "\x07");  // prohibited by RFC 4013; PostgreSQL does not look at ASCII
}

TEST(Saslprep, MapsAndNormalizesAsRfc4013Says) {
  EXPECT_EQ(prepared("I\u00adX"), "IX");                   // soft hyphen: mapped to nothing
  EXPECT_EQ(prepared("\u00aa"), "a");                      // NFKC
  EXPECT_EQ(prepared("\u2168"), "IX");                     // NFKC
  EXPECT_EQ(prepared("e\u0301t\u00e9"), "\u00e9t\u00e9");  // composed
  EXPECT_EQ(prepared("a\u00a0b"), "a b");                  // no-break space
}

TEST(Saslprep, WhatCannotBePreparedIsUsedRaw) {
  EXPECT_EQ(prepared("\u00aa\x07"), "\u00aa\x07");                  // prohibited character
  EXPECT_EQ(prepared("\u06271"), "\u06271");                        // bidirectional text that ends wrong
  EXPECT_EQ(prepared("\u00aa\xff"), "\u00aa\xff");                  // not UTF-8
  EXPECT_EQ(prepared("\xed\xa0\x80\u00aa"), "\xed\xa0\x80\u00aa");  // a surrogate
  EXPECT_EQ(prepared("\xc0\xaf\u00aa"), "\xc0\xaf\u00aa");          // overlong
  EXPECT_EQ(prepared("\u00ad"), "\u00ad");                          // would be empty
  EXPECT_EQ(prepared("\U0001F600\u00aa"), "\U0001F600\u00aa");      // unknown to Unicode 3.2
  EXPECT_EQ(prepared(std::string_view("\u00aa\0x", 4)), std::string("\u00aa\0x", 4));
}

TEST(Saslprep, ChecksBeforeItNormalizesAsPostgresqlDoes) {
  EXPECT_EQ(prepared("\u0340x"), "\u0340x");            // prohibited; normalized it would not be
  EXPECT_EQ(prepared("\ufb2c"), "\u05e9\u05bc\u05c1");  // ends with a mark only when normalized
}

TEST(Saslprep, LongExpansionsFit) {
  std::string many;
  for (int i = 0; i < 200; ++i)
    many += "\ufdfa";  // one letter becomes eighteen, right to left
  EXPECT_GT(prepared(many).size(), 200U * 18);
}

}  // namespace
}  // namespace trunkline::auth
