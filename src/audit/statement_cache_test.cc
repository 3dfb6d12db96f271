#include "audit/statement_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <nlohmann/json.hpp>

#include "audit/grammar.h"
#include "audit/sql_skeleton.h"
#include "base/limits.h"

namespace trunkline::audit {
namespace {

constexpr std::size_t megabyte = 1'048'576;

TEST(StatementCache, TellsStatementsApart) {
  statement_cache cache(megabyte, true);
  const auto list = cache.look("select 1; update t set a = 'x;y' where b = 2 ; ");
  ASSERT_EQ(list->size(), 2U);
  EXPECT_EQ((*list)[0].text, "select 1");
  EXPECT_EQ((*list)[0].normalised, "select $1");
  EXPECT_EQ((*list)[1].text, "update t set a = 'x;y' where b = 2");
  EXPECT_EQ((*list)[1].normalised, "update t set a = $1 where b = $2");
  EXPECT_EQ((*list)[1].fingerprint.size(), 16U);
  EXPECT_EQ((*list)[0].json, "\"text\":\"select 1\",\"fingerprint\":\"" + (*list)[0].fingerprint + "\"");
}

TEST(StatementCache, AsksTheGrammarOnceForAShape) {
  statement_cache cache(megabyte, true);
  const auto one = cache.look("select * from t where id = 1 and name = 'a'");
  const auto two = cache.look("select * from t where  id = 22 /* why */ and name = $x$b'c$x$");
  EXPECT_EQ(cache.grammar_calls(), 1U);
  const auto three = cache.look("select * from t where id = 3.5e7 and name = 'it''s'");
  cache.look("select * from t where id=1 and name = 'a'");
  EXPECT_EQ(cache.grammar_calls(), 2U) << "another spacing is another skeleton";
  EXPECT_EQ((*one)[0].fingerprint, (*three)[0].fingerprint);
  EXPECT_EQ((*one)[0].fingerprint, (*two)[0].fingerprint);
  EXPECT_EQ((*three)[0].text, "select * from t where id = 3.5e7 and name = 'it''s'");
  EXPECT_EQ(cache.look("select * from t where id = 1 and name = 'a'").get(), one.get());
}

TEST(StatementCache, EmptyAndRefusedTextsAreStatementsToo) {
  statement_cache cache(megabyte, true);
  for (const std::string_view text : {"", "  ", "-- nothing", ";", ";;"}) {
    const auto list = cache.look(text);
    ASSERT_EQ(list->size(), 1U) << text;
    EXPECT_EQ((*list)[0].fingerprint, "");
  }
  const auto broken = cache.look("selec 1");
  ASSERT_EQ(broken->size(), 1U);
  EXPECT_EQ((*broken)[0].fingerprint, "");
  EXPECT_EQ((*broken)[0].normalised, "");
  EXPECT_EQ((*broken)[0].text, "selec 1");
  const auto later = cache.look("create table t (a int); selec 1; select 2");
  ASSERT_EQ(later->size(), 3U) << "what the grammar cannot split is split by its scanner's rules";
  EXPECT_NE((*later)[2].fingerprint, "");
}

TEST(StatementCache, OfTheBeginningOfATextOnlyTheTextIsKept) {
  statement_cache cache(megabyte, true);
  EXPECT_EQ((*cache.look("select 1", true))[0].fingerprint, "");
  EXPECT_NE((*cache.look("select 1", false))[0].fingerprint, "");
  EXPECT_EQ(cache.grammar_calls(), 1U);
}

TEST(StatementCache, RulesAndFunctionBodiesAreOneStatement) {
  statement_cache cache(megabyte, true);
  EXPECT_EQ(cache.look("create rule r as on insert to t do also (select 1; select 2); select 3")->size(), 2U);
  EXPECT_EQ(
      cache.look("create function f() returns int begin atomic select 1; select 2; end; select 3")->size(),
      2U);
}

TEST(StatementCache, KeepsNoTextWhereItIsOff) {
  statement_cache cache(megabyte, false);
  const auto list = cache.look("select 'private'");
  EXPECT_EQ((*list)[0].text, "");
  EXPECT_EQ((*list)[0].json, "\"fingerprint\":\"" + (*list)[0].fingerprint + "\"");
  EXPECT_EQ((*list)[0].normalised, "select $1");
}

TEST(StatementCache, ReadsTraceparents) {
  statement_cache cache(megabyte, true);
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_EQ((*cache.look("select 1 /*db_driver='x',traceparent='" + trace + "'*/"))[0].traceparent, trace);
  EXPECT_EQ((*cache.look("/*traceparent='00%2D" + trace.substr(3) + "'*/ select 1"))[0].traceparent, trace);
  for (const std::string& bad :
       {"traceparent='" + trace + "'", "'/*traceparent=''" + trace + "''*/'",
        "/*traceparent='ff" + trace.substr(2) + "'*/", "/*xtraceparent='" + trace + "'*/",
        "/*traceparent='00-" + std::string(32, '0') + trace.substr(35) + "'*/",
        "/*traceparent='" + trace + "-00'*/", std::string("/*traceparent='00-zz'*/"),
        "/*traceparent='" + trace}) {
    EXPECT_EQ((*cache.look("select 1 " + bad))[0].traceparent, "") << bad;
  }
}

TEST(StatementCache, DeepAndLongTextsDoNotReachTheGrammar) {
  statement_cache cache(8 * megabyte, true);
  std::string chain = "select 1";
  for (int i = 0; i < 30'000; ++i)
    chain += "+1";
  EXPECT_EQ((*cache.look(chain))[0].fingerprint, "");
  std::string nested = "select ";
  nested += std::string(20'000, '(') + "1" + std::string(20'000, ')');
  EXPECT_EQ((*cache.look(nested))[0].fingerprint, "");
  EXPECT_EQ((*cache.look("select '" + std::string(limits::audit_grammar_bytes, 'x') + "'"))[0].fingerprint,
            "");
  EXPECT_EQ(cache.grammar_calls(), 0U);
  // Many rows are not deep.
  std::string rows = "insert into t values (1, 'a')";
  while (rows.size() < 16'000)
    rows += ", (1, 'a')";
  EXPECT_NE((*cache.look(rows))[0].fingerprint, "");
}

TEST(StatementCache, StaysInItsBudget) {
  statement_cache cache(megabyte, true);
  for (int i = 0; i < 50'000; ++i) {
    cache.look("select " + std::to_string(i) + " from t" + std::to_string(i % 3'000));
    ASSERT_LE(cache.bytes(), megabyte);
  }
  // What is asked for all the time stays.
  const auto kept = cache.look("select kept");
  for (int i = 0; i < 50'000; ++i) {
    cache.look("select " + std::to_string(i) + " from other");
    if (i % 100 != 0) continue;
    ASSERT_EQ(cache.look("select kept").get(), kept.get());
  }
}

/// Statements of which the literals are drawn anew.
rc::Gen<std::string> literals() {
  return rc::gen::oneOf(
      rc::gen::map(rc::gen::arbitrary<std::uint32_t>(), [](std::uint32_t n) { return std::to_string(n); }),
      rc::gen::map(rc::gen::container<std::string>(rc::gen::inRange('a', 'z')),
                   [](const std::string& s) { return "'" + s + "'"; }),
      rc::gen::element<std::string>("1.5", ".5e-3", "1e9", "'it''s'", "E'a\\'b'", "$$x;y$$", "$t$ $$ $t$",
                                    "'--'", "'/*'", "true", "null", "99999999999999999999"));
}

RC_GTEST_PROP(StatementCache, TheSkeletonFindsWhatTheGrammarWouldSay, ()) {
  statement_cache cache(megabyte, true);
  const auto shape = *rc::gen::element<std::string>(
      "select * from t where a = ? and b in (?, ?)", "insert into t (a, b) values (?, ?), (?, ?)",
      "update t set a = ?, b = b + ? where c < - ?",
      "with x as (select ? as y) select * from x limit 5 offset ?",
      "delete from t where a between ? and ? /* ' */ -- \"\n",
      "select case when a = ? then ? else ? end, ? ::text");
  for (int round = 0; round < 3; ++round) {
    std::string text;
    for (const char c : shape)
      text += c == '?' ? *literals() : std::string(1, c);
    const auto list = cache.look(text);
    RC_ASSERT(list->size() == 1U);
    RC_ASSERT((*list)[0].fingerprint == ask_grammar(text).fingerprint);
    RC_ASSERT((*list)[0].normalised.empty() == (*list)[0].fingerprint.empty());
  }
}

RC_GTEST_PROP(StatementCache, AnyBytesGiveValidJson, (const std::string& text, bool cut)) {
  statement_cache cache(megabyte, true);
  const auto list = cache.look(text, cut);
  RC_ASSERT(!list->empty());
  for (const auto& each : *list)
    RC_ASSERT(nlohmann::json::accept("{" + each.json + "}"));
}

}  // namespace
}  // namespace trunkline::audit
