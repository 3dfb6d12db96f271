#include "sql/effects_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace trunkline::sql {
namespace {

constexpr std::array<std::byte, 16> secret{std::byte{1}, std::byte{2}, std::byte{3}};

TEST(EffectsCache, TextsThatDifferInConstantsAreOneEntry) {
  effects_cache cache(secret);
  EXPECT_TRUE(cache.look("select * from t where a = 1 and b = 'x'").clean());
  EXPECT_TRUE(cache.look("SELECT * from t /* y */ where a = 22 and b = 'it''s'").clean());
  EXPECT_TRUE(cache.look("select f('a')").has(effect::inspect));
  EXPECT_TRUE(cache.look("select f('b')").has(effect::inspect));
  EXPECT_EQ(cache.misses(), 2U);
  EXPECT_EQ(cache.hits(), 2U);
}

TEST(EffectsCache, WhereConstantsDecideTheWholeTextCounts) {
  effects_cache cache(secret);
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(cache.look("select set_config('a', 'x', false)").settings, testing::ElementsAre("a"));
    EXPECT_THAT(cache.look("select set_config('b', 'x', false)").settings, testing::ElementsAre("b"));
    EXPECT_TRUE(cache.look("select set_config('b', 'x', true)").clean());
    EXPECT_FALSE(cache.look("select E'\\001'").has(effect::inspect));
    EXPECT_TRUE(cache.look("select E'\\000'").has(effect::inspect)) << "the grammar refuses it";
    EXPECT_FALSE(cache.look("select 1::float(1)").has(effect::inspect));
    EXPECT_TRUE(cache.look("select 1::float(0)").has(effect::inspect));
  }
  EXPECT_EQ(cache.misses(), 7U);
  EXPECT_EQ(cache.hits(), 7U);
}

TEST(EffectsCache, WhatCannotBeJudgedIsNoEntry) {
  effects_cache cache(secret);
  const std::string large(limits::sql_text_bytes + 1, ' ');
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(cache.look(large), unknown_effects());
    EXPECT_EQ(cache.look("select '\\'", {.standard_conforming_strings = false}), unknown_effects());
  }
  EXPECT_EQ(cache.refused(), 6U);
  EXPECT_EQ(cache.misses() + cache.hits(), 0U);
  EXPECT_TRUE(cache.look("select '\\'").clean());
}

TEST(EffectsCache, ForgetsWhatWasNotAskedForAndStaysRight) {
  effects_cache cache(secret, 8);
  const auto text = [](int number) { return "set a" + std::to_string(number) + " = 1"; };
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(cache.look(text(i)).settings.front(), "a" + std::to_string(i));
    EXPECT_EQ(cache.look(text(0)).settings.front(), "a0") << "asked for all the time";
  }
  EXPECT_EQ(cache.misses(), 200U);
  EXPECT_EQ(cache.look(text(1)).settings.front(), "a1");
  EXPECT_EQ(cache.misses(), 201U) << "forgotten, and found again";
}

TEST(EffectsCache, WhatComesAgainByteForByteIsJudgedByTheRulesOfItsSession) {
  effects_cache cache(secret);
  const std::string text = "select 'a\\' , set_config('b', 'c', false) , '";
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(cache.look(text), find_effects(text));
    EXPECT_EQ(cache.look(text, {.standard_conforming_strings = false}), unknown_effects());
    EXPECT_EQ(cache.look("begin").kind, find_effects("begin").kind);
    EXPECT_EQ(cache.look(""), find_effects(""));
  }
}

TEST(EffectsCache, WhatComesAgainAfterItsEntryWentToAnotherTextIsFoundAnew) {
  effects_cache cache(secret, 8);
  const auto text = [](int number) { return "set a" + std::to_string(number) + " = 1"; };
  for (int round = 0; round < 50; ++round) {
    const int first = round * 20;
    for (int again = 0; again < 4; ++again)
      EXPECT_EQ(cache.look(text(first)).settings.front(), "a" + std::to_string(first));
    for (int other = first + 1; other < first + 20; ++other)
      cache.look(text(other));
    EXPECT_EQ(cache.look(text(first)).settings.front(), "a" + std::to_string(first));
  }
}

TEST(EffectsCache, TextsThatShareASlotAreToldApart) {
  effects_cache cache(secret);
  // The first, the middle and the last eight bytes are the same.
  const std::string one = "select  aaaa set_co_1 from pg_class aaaa 12345678";
  std::string other = one;
  other[10] = other[38] = '*';
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(cache.look(one), find_effects(one));
    EXPECT_EQ(cache.look(other), find_effects(other));
  }
}

TEST(EffectsCache, HoldsWhatItIsToldTo) {
  effects_cache cache(secret, 1024);
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 256; ++i)
      cache.look("select a" + std::to_string(i));
  EXPECT_GE(cache.hits(), 250U) << "a quarter full: few groups have more than eight";
}

// Statements made of pieces, with other constants each time: the cache says what the grammar says.

rc::Gen<std::string> constant() {
  return rc::gen::oneOf(
      rc::gen::element<std::string>("1", "0", "22", "2147483647", "2147483648", "1.5", ".5e3", "'a'", "''",
                                    "'it''s'", "'--'", "';'", "'\\'", "E'\\''", "E'\\n'", "E'\\000'",
                                    "E'\\x41'", "U&'\\0041'", "U&'\\zzzz'", "B'01'", "B'1''0'", "X'1f'",
                                    "N'a'", "$$a$$", "$x$'$$;$x$", "'a'\n'b'", "'pg_temp'", "'search_path'",
                                    "'role'", "true", "false", "null", "0x1f", "1a"),
      rc::gen::map(rc::gen::inRange(0, 1'000'000'000), [](int value) { return std::to_string(value); }));
}

rc::Gen<std::string> filled(const std::string& pattern) {
  return rc::gen::exec([pattern] {
    std::string text;
    for (const char c : pattern)
      text += c == '?' ? *constant() : std::string(1, c);
    return text;
  });
}

rc::Gen<std::string> statement() {
  return rc::gen::mapcat(
      rc::gen::element<std::string>(
          "select ?", "select * from t where a = ? and b in (?, ?)", "insert into t values (?, ?), (?, ?)",
          "update t set a = ? where b = ?", "delete from t where a = ?", "select set_config(?, ?, ?)",
          "select f(?)", "select pg_advisory_lock(?)", "select cast(? as float(?))",
          "select a from t limit ? offset ?", "set a.b = ?", "set local search_path = ?", "set time zone ?",
          "explain (analyze ?) select ?", "fetch ? from c", "select ? from t where ? union select ?",
          "select interval ? day, ?::numeric(?, ?)", "select date ?",
          "declare c cursor with hold for select ?", "copy t to stdout (format ?)", "prepare transaction ?",
          "select ? uescape ?", "select a[?] from t", "begin; select ?; commit", "select ?; set x = ?",
          "select ? ? from t", "alter table t alter column ? set statistics ?", "notify a, ?", "load ?",
          "comment on table t is ?", "select xmlparse(document ?), ? is distinct from ?",
          "select ? /* ? */ -- ?\n"),
      filled);
}

RC_GTEST_PROP(EffectsCache, SaysWhatTheGrammarSays, ()) {
  static effects_cache cache(secret, 64);
  const std::string text = *statement();
  for (int again = 0; again < 4; ++again)  // new, known, known byte for byte
    RC_ASSERT(cache.look(text) == find_effects(text));
}

rc::Gen<std::vector<std::string>> statements_alike() {
  return rc::gen::mapcat(
      rc::gen::element<std::string>(
          "select a, b, c from t where a = ? and b = ?", "select a, b, c from t where a = ?",
          "select a, b, c from t where a in (?,?,?,?,?,?,?,?,?,?)", "insert into some_table values (?, ?)",
          "insert into some_table values (?, ?); select ?", "update some_table set a = ?::float(?), b = ?x",
          "select a, b, c from t where a = ?.? or b = -?e1", "select a, b, c from t where e = e? and x = $?",
          "select a, b, c from t where a = ?'x'", "select a, b, c from t where a = ?\n'x' limit ?",
          "select a, b, c, set_config(?, ?, false) from t", "select a, b, c from t where a = ? /* ? */"),
      [](const std::string& pattern) {
        return rc::gen::container<std::vector<std::string>>(6, filled(pattern));
      });
}

RC_GTEST_PROP(EffectsCache, TextsThatDifferInConstantsAreWhatTheGrammarSays, (bool conforming)) {
  static effects_cache cache(secret, 64);
  const lexical_rules rules{.standard_conforming_strings = conforming};
  for (const std::string& text : *statements_alike())
    RC_ASSERT(cache.look(text, rules) == find_effects(text, rules));
}

TEST(EffectsCache, ConstantsThatAreCutOtherwiseAreOtherTexts) {
  const std::string before = "select set_x, b from t where a = ";
  // Each stands where an integer or a string stood three times before.
  for (const char* kept : {"1", "'x'"}) {
    for (const char* other :
         {"2147483648", "1.5", "1e5", "1a", "'a''b'", "'a' 'b'", "'a'\n'b'", "'\\'", "E'\\000'", "''",
          "'\xc3\xa4'", "", "$1", "1; set x = 1", "'x'; set y = ';'", "'; set z = 1; select '"}) {
      effects_cache cache(secret);
      for (int i = 0; i < 3; ++i)
        cache.look(before + kept + " limit 5");
      const std::string text = before + other + " limit 7";
      for (const bool conforming : {true, false}) {
        const lexical_rules rules{.standard_conforming_strings = conforming};
        EXPECT_EQ(cache.look(text, rules), find_effects(text, rules)) << text;
      }
    }
  }
}

}  // namespace
}  // namespace trunkline::sql
