#include "sql/normal_form.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace trunkline::sql {
namespace {

normaliser fixed() {
  std::array<std::byte, 16> secret{};
  for (std::size_t i = 0; i < secret.size(); ++i)
    secret[i] = static_cast<std::byte>(i * 37);
  return normaliser(secret);
}

text_key shape(std::string_view text) {
  return fixed().shape_of(text).key;
}

TEST(NormalForm, ConstantsBlanksCommentsAndCaseDoNotCount) {
  const std::vector<std::vector<std::string_view>> alike{
      {"select 1", "SELECT 22", " select\t\n3 ", "select /* a /* b */ -- */ 4", "select--\n5",
       "select 0002147483647", "\r\nselect 6 -- end", "-- front\nselect 7"},
      {"select 1.5", "select 2147483648", "select .5", "select 5.", "select 1e9", "select 1.2E-3",
       "select 99999999999999999999"},
      {"select 'a'", "select ''", "select 'it''s'", "select 'a'\n  'b'", "select 'a' -- x\n -- y\n'b'",
       "select 'a\\'", "select $$a'b$$", "select $x$ $$ $y$ $x$", "select 'ä'", "select '-- /* ;'"},
      {"select E'a'", "select e'it\\'s'", "select E'\\\\'", "select E'a''b'", "select E'a\\nb'",
       "select E'a'\n'\\''"},
      {"select 'a' 'b'", "select 'a' /*\n*/ 'b'", "select 'c' $$d$$"},
      {"select B'01'", "select b''", "select B'1' \n '0'"},
      {"select X'0a'", "select x'ff'"},
      {"select N'a'", "select n'b'"},
      {"select a from t where b = 1 and c = 'x'", "Select A From T where B = 2 AND c = 'yy'"},
      {"select a_long_identifier_of_a_table.a", "select A_LONG_IDENTIFIER_OF_A_TABLE.a"},
  };
  std::set<std::pair<std::uint64_t, std::uint64_t>> all;
  for (const auto& group : alike) {
    const text_key first = shape(group.front());
    all.emplace(first.low, first.high);
    for (const std::string_view text : group)
      EXPECT_EQ(shape(text), first) << text;
  }
  EXPECT_EQ(all.size(), alike.size());
}

TEST(NormalForm, EverythingElseCounts) {
  const std::vector<std::string_view> different{
      "select 1",
      "select a",
      "select -1",
      "select - 1",
      "select 1 a",
      "select 1a",
      "select 1.5",
      "select 'a'",
      "select 'a' 'b'",
      "select E'a'",
      "select e 'a'",
      "select B'1'",
      "select B'1''0'",
      "select X'1'",
      "select N'a'",
      "select u&'a'",
      "select u & 'a'",
      "select \"a\"",
      "select \"A\"",
      "select \"a\"\"b\"",
      "select u&\"a\"",
      "select $1",
      "select $2",
      "select $11",
      "select $1 1",
      "select a$b$c$b$",
      "select $",
      "select a.b",
      "select a . b",
      "select a<-1",
      "select a< -1",
      "select a::b",
      "select a: :b",
      "select ab",
      "select a b",
      "select 1..2",
      "select 1. .2",
      "select abcdefg",
      "select abcdefgh",
      "select abcdefghi",
      "select abcdefghabcdefgh",
      "select abcdefghabcdefghi",
      "select ä",
      "select Ä",
      "select @",
      "select `",
      "select [",
      "select {",
      "select 1; select 1",
      "select 1 select 1",
      "select 1,1",
      "",
      "select",
      "selec t",
  };
  std::set<std::pair<std::uint64_t, std::uint64_t>> all;
  for (const std::string_view text : different) {
    const text_key key = shape(text);
    EXPECT_TRUE(all.emplace(key.low, key.high).second) << text;
  }
}

TEST(NormalForm, WhereTheContentOfAConstantMatters) {
  for (const std::string_view text :
       {"select E'\\000'", "select E'\\x41'", "select E'\\u0041'", "select u&'a'", "select u&\"a\"",
        "select 1::float(3)", "select FLOAT(3) '1'", "select 'open", "select $$open", "select E'open\\'"})
    EXPECT_TRUE(fixed().shape_of(text).content_matters) << text;
  for (const std::string_view text :
       {"select E'\\\\000'", "select 'a'", "select '\\000'", "select float8 '1'", "select 1"})
    EXPECT_FALSE(fixed().shape_of(text).content_matters) << text;
}

TEST(NormalForm, UncertainWhereTheServerMayCutOtherwise) {
  const lexical_rules old_strings{.standard_conforming_strings = false};
  EXPECT_TRUE(fixed().shape_of("select 'a\\'", old_strings).uncertain);
  EXPECT_TRUE(fixed().shape_of("select N'a\\'", old_strings).uncertain);
  EXPECT_TRUE(fixed().shape_of("select 'a'\n'\\'", old_strings).uncertain);
  EXPECT_FALSE(fixed().shape_of("select E'a\\n', $$\\$$, \"\\\", 'a' -- \\", old_strings).uncertain);
  EXPECT_FALSE(fixed().shape_of("select 'a\\'").uncertain);
  const lexical_rules big5{.ascii_superset = is_ascii_superset("BIG5")};
  EXPECT_TRUE(fixed().shape_of("select '\xa5\x5c'", big5).uncertain);
  EXPECT_FALSE(fixed().shape_of("select '\xa5\x5c'").uncertain);
  EXPECT_TRUE(fixed().shape_of("select 1 /* /* */").uncertain);
  EXPECT_TRUE(fixed().shape_of(std::string_view("select 1\0", 9)).uncertain);
}

TEST(NormalForm, AnotherSecretGivesOtherKeys) {
  const normaliser other(std::array<std::byte, 16>{});
  EXPECT_NE(other.shape_of("select 1").key, shape("select 1"));
  EXPECT_NE(other.key_of("select 1"), fixed().key_of("select 1"));
}

TEST(NormalForm, WholeTextsCountAsTheyAre) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> all;
  std::string text;
  for (int i = 0; i < 40; ++i, text += 'a') {
    const text_key key = fixed().key_of(text);
    EXPECT_TRUE(all.emplace(key.low, key.high).second) << text;
    EXPECT_EQ(fixed().key_of(std::string(text)), key) << "what stands behind it does not count";
    EXPECT_EQ(fixed().key_of(std::string_view(text + "bcdefghijk").substr(0, text.size())), key);
  }
  EXPECT_NE(fixed().key_of("select 1"), fixed().key_of("select 2"));
  EXPECT_NE(fixed().key_of("select 1"), shape("select 1"));
}

TEST(NormalForm, WordsNearTheEndOfTheTextAreReadAlike) {
  for (std::size_t size = 0; size < 24; ++size) {
    const std::string word(size, 'Q');
    const std::string text = "select x" + word;
    const std::string followed = text + "          ";
    EXPECT_EQ(shape(text), shape(followed)) << size;
  }
}

}  // namespace
}  // namespace trunkline::sql
