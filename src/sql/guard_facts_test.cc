// What a policy may forbid, found wherever it stands in a text.
#include "sql/guard_facts.h"

#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"
#include "sql/effects_cache.h"

namespace trunkline::sql {
namespace {

using enum guard_fact;

std::uint32_t facts(const std::string& text) {
  return find_effects(text).guard;
}

std::uint32_t bits(std::initializer_list<guard_fact> all) {
  std::uint32_t sum = 0;
  for (const auto each : all)
    sum |= bit(each);
  return sum;
}

TEST(GuardFacts, HarmlessTextsHaveNone) {
  for (const char* text : {
           "select 1",
           "",
           "-- drop table x",
           "select 'drop table x; set role none'",
           "select * from t where a = $1 for update",
           "insert into t values (1), (2) on conflict (id) do update set a = 1",
           "update t set a = 1 where id = 2",
           "delete from t where true",
           "with x as (delete from t where id = 1 returning *) select * from x",
           "begin; set local work_mem = '1MB'; commit",
           "begin read only",
           "start transaction isolation level serializable",
           "set transaction read only",
           "set session characteristics as transaction read only",
           "set default_transaction_read_only = on",
           "set default_transaction_read_only to 'true'",
           "reset default_transaction_read_only",
           "reset all",
           "discard plans",
           "discard temp",
           "set client_encoding to 'UTF8'",
           "set names 'latin1'",
           "set standard_conforming_strings = on",
           "reset client_encoding",
           "select pg_catalog.set_config('search_path', '', false)",
           "select set_config('app.user', $1, true)",
           "copy t to stdout",
           "copy t (a, b) from stdin with (format csv)",
           "prepare p as select $1",
           "execute p(1)",
           "explain analyze select 1",
           "listen x",
           "lock table t",
           "vacuum t",
           "call f(1)",
           "create_role()",
       }) {
    const bool parses = std::string_view(text) != "create_role()";
    EXPECT_EQ(facts(text), parses ? 0U : bit(doubt)) << text;
  }
}

TEST(GuardFacts, KnowTheClasses) {
  const std::pair<const char*, std::uint32_t> samples[] = {
      {"create table t (a int)", bits({ddl})},
      {"create temp table t (a int)", bits({ddl})},
      {"create table t as select 1", bits({ddl})},
      {"select 1 as a into t", bits({ddl})},
      {"alter table t add b int", bits({ddl})},
      {"drop table t", bits({ddl})},
      {"create index on t (a)", bits({ddl})},
      {"create view v as select 1", bits({ddl})},
      {"comment on table t is 'x'", bits({ddl})},
      {"grant select on t to r", bits({ddl})},
      {"refresh materialized view v", bits({ddl})},
      {"create schema s create table t (a int)", bits({ddl})},
      {"create function f() returns int language sql begin atomic select 1; end", bits({ddl})},
      {"create function f() returns int language sql as 'select 1'", bits({ddl, code})},
      {"create procedure f() language plpgsql as $$begin end$$", bits({ddl, code})},
      {"create extension dblink", bits({ddl, code})},
      {"do $$begin execute 'drop table t'; end$$", bits({code})},
      {"do language plpgsql 'begin end'", bits({code})},
      {"create role r", bits({ddl, roles})},
      {"create user u password 'x'", bits({ddl, roles})},
      {"alter role r superuser", bits({ddl, roles})},
      {"alter user u set role = 'x'", bits({ddl, roles})},
      {"alter role r rename to s", bits({ddl, roles})},
      {"drop role r", bits({ddl, roles})},
      {"grant admins to me", bits({ddl, roles})},
      {"revoke admins from me", bits({ddl, roles})},
      {"drop owned by r", bits({ddl, roles})},
      {"copy t to program 'sh'", bits({server_files})},
      {"copy t from program 'sh'", bits({server_files})},
      {"copy t to '/tmp/x'", bits({server_files})},
      {"copy (select 1) to program 'sh'", bits({server_files})},
      {"load 'x'", bits({server_files})},
      {"alter system set archive_command = 'x'", bits({ddl, server_files})},
      {"select pg_read_file('/etc/passwd')", bits({server_files})},
      {"select lo_import('/etc/passwd')", bits({server_files, large_objects})},
      {"select lo_put(1, 0, 'x')", bits({large_objects})},
      {"select ('/etc/passwd'::text).pg_read_file", bits({server_files})},
      {"delete from t", bits({unqualified_write})},
      {"update t set a = 1", bits({unqualified_write})},
      {"truncate t", bits({unqualified_write})},
      {"update pg_settings set setting = 'none' where name = 'role'", bits({any_setting})},
      {"select * from dblink('', 'drop table t') as x(a int)", bits({runs_text})},
      {"select query_to_xml('select 1', true, true, '')", bits({runs_text})},
      {"select * from ts_stat('select 1')", bits({runs_text})},
  };
  for (const auto& [text, expected] : samples)
    EXPECT_EQ(facts(text), expected) << text;
}

TEST(GuardFacts, KnowWaysOutOfARole) {
  for (const char* text : {
           "set role none",
           "SET ROLE 'admin'",
           "set local role admin",
           "set session role admin",
           "set \"role\" = 'admin'",
           "set \"ROLE\" to admin",
           "reset role",
           "set role to default",
           "set session authorization default",
           "set session authorization 'postgres'",
           "reset session authorization",
           "set session_authorization = postgres",
           "discard all",
           "select set_config('role', 'none', false)",
           "select pg_catalog.set_config('ROLE', 'none', true)",
           "select set_config('role'::text, $1, false)",
           "select set_config(E'ro\\x6ce', 'none', false)",
           "select set_config(U&'r\\006fle', 'none', false)",
           "select \"set_config\"('role', 'none', false)",
           "select U&\"set\\005fconfig\"('role', 'none', false)",
           "set /* a comment */ role -- another\n none",
           "select 1; reset role",
           "prepare p as select set_config('role', 'none', false)",
           "explain analyze select set_config('role', 'none', false)",
           "with x as (select set_config('role', 'none', false)) select 1",
           "create view v as select set_config('role', 'none', false)",
       }) {
    EXPECT_TRUE(facts(text) & bit(leaves_role)) << text;
  }
  for (const char* text :
       {"select set_config($1, 'none', false)", "select set_config('ro' || 'le', 'none', false)",
        "select set_config(setting_name => 'role', new_value => 'none', is_local => false)",
        "select set_config(n, 'none', false) from t"})
    EXPECT_TRUE(facts(text) & bit(any_setting)) << text;
}

TEST(GuardFacts, KnowWaysOutOfReadOnly) {
  for (const char* text : {
           "begin read write",
           "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
           "start transaction read write",
           "set transaction read write",
           "set session characteristics as transaction read write",
           "set transaction_read_only = off",
           "set local transaction_read_only to false",
           "set transaction_read_only = 0",
           "reset transaction_read_only",
           "set transaction_read_only to default",
           "set default_transaction_read_only = off",
           "set \"Default_Transaction_Read_Only\" = 'off'",
           "set default_transaction_read_only = 'no'",
           "select set_config('transaction_read_only', 'off', true)",
           "select set_config('default_transaction_read_only', $1, false)",
           "select 1; begin read write; delete from t where id = 1",
       }) {
    EXPECT_TRUE(facts(text) & bit(leaves_read_only)) << text;
  }
}

TEST(GuardFacts, KnowWhatChangesHowTextsAreRead) {
  for (const char* text :
       {"set standard_conforming_strings = off", "set client_encoding = 'SJIS'", "set names 'GBK'",
        "set client_encoding = sjis", "select set_config('client_encoding', 'BIG5', false)",
        "select set_config('standard_conforming_strings', 'off', false)"})
    EXPECT_TRUE(facts(text) & bit(lexical)) << text;
}

TEST(GuardFacts, WhatIsHiddenIsFound) {
  EXPECT_TRUE(facts("explain analyze delete from t") & bit(unqualified_write));
  EXPECT_TRUE(facts("with x as (update t set a = 1 returning *) select * from x") & bit(unqualified_write));
  EXPECT_TRUE(facts("prepare p as delete from t") & bit(unqualified_write));
  EXPECT_TRUE(facts("copy (delete from t returning *) to stdout") & bit(unqualified_write));
  EXPECT_TRUE(facts("select 1; select 2; drop table t") & bit(ddl));
  EXPECT_TRUE(facts("dr/**/op table t") & bit(doubt));
  EXPECT_TRUE(facts("/* /* */ */ drop /* x */ table t") & bit(ddl));
  EXPECT_TRUE(facts("select 1 union select pg_read_file('x')") & bit(server_files));
  EXPECT_TRUE(facts("declare c cursor for select set_config('role', 'none', false)") & bit(leaves_role));
  EXPECT_TRUE(facts("create rule r as on insert to t do also delete from u") & bit(unqualified_write));
}

TEST(GuardFacts, DoubtIsDoubt) {
  EXPECT_EQ(facts("select"), 0U) << "a select of nothing";
  EXPECT_EQ(facts("this is no sql"), bit(doubt));
  EXPECT_EQ(facts(std::string("select 1\0; drop table t", 23)), bit(doubt));
  EXPECT_EQ(find_effects("select '\\'", {.standard_conforming_strings = false}).guard, bit(doubt));
  EXPECT_EQ(find_effects("select '\xc3\xa4'", {.ascii_superset = false}).guard, bit(doubt));
  EXPECT_EQ(facts(std::string(limits::sql_text_bytes + 1, ' ')), bit(doubt));
}

TEST(GuardFacts, TheCacheKnowsThemToo) {
  effects_cache cache({});
  EXPECT_EQ(cache.look("set default_transaction_read_only = on").guard, 0U);
  EXPECT_EQ(cache.look("set default_transaction_read_only = off").guard, bit(leaves_read_only));
  EXPECT_EQ(cache.look("set default_transaction_read_only = 'on'").guard, 0U);
  EXPECT_EQ(cache.look("set default_transaction_read_only = 'no'").guard, bit(leaves_read_only));
  EXPECT_EQ(cache.look("select set_config('a.b', 'x', false)").guard, 0U);
  EXPECT_EQ(cache.look("select set_config('role', 'x', false)").guard, bit(leaves_role));
  EXPECT_EQ(cache.look("delete from t where a = 1").guard, 0U);
  EXPECT_EQ(cache.look("delete from t").guard, bit(unqualified_write));
}

// ---- long texts ----

std::string rows(const std::string& head, const std::string& row, const std::string& tail = "") {
  std::string text = head;
  while (text.size() < limits::sql_text_bytes + 1'000)
    text += (text.size() == head.size() ? "" : ", ") + row;
  return text + tail;
}

TEST(GuardFacts, LongListsAreRead) {
  for (const auto& text : {
           rows("insert into t (a, b) values ", "(1, 'x; drop table t')"),
           rows("INSERT INTO \"S\".\"T\" (\"a\", \"b\") VALUES ", "(-1.5, E'x\\n', null, default)"),
           rows("insert into t values ", "(1, '2026-01-01'::date)", " on conflict do nothing") + "",
           rows("select * from t where a in (", "17", ") and lower(b) = 'x'"),
           rows("select * from t where a in (", "$1", ");"),
           rows("values ", "(1)"),
       }) {
    const bool upsert = text.find("do nothing") != std::string::npos;
    EXPECT_EQ(guard_facts_of_long_text(text), upsert ? bit(doubt) : 0U) << text.substr(0, 60);
  }
}

TEST(GuardFacts, LongTextsHideNothing) {
  for (const auto& text : {
           rows("insert into t values ", "(1)", "; drop table t"),
           rows("insert into t values ", "(set_config('role', 'none', false))"),
           rows("insert into t values ", "(pg_catalog.set_config('role', 'none', false))"),
           rows("insert into t values ", "(\"set_config\"('role', 'none', false))"),
           rows("insert into t values ", "(set_config /* x */ ('role', 'none', false))"),
           rows("insert into t values ", "(nextval('s'))"),
           rows("insert into t values ", "(f(1))"),
           rows("select * from t where a in (", "17", ") union select * into u from t"),
           rows("with x as (delete from t) select * from t where a in (", "17", ")"),
           rows("select * from (delete from t) where a in (", "17", ")"),
           rows("select ('/etc/passwd'::text).pg_read_file from t where a in (", "17", ")"),
           rows("select dblink from t where a in (", "17", ")"),
           rows("delete from t where a in (", "17", ")"),
           rows("do $$", " "),
           rows("copy t from program 'x' where a in (", "17", ")"),
           rows("/* x */ set role none; select ", "1"),
           rows("select ('x'::text).\"pg_read_file\", ", "1"),
           rows("select U&\"set\\005fconfig\"('role', 'none', false), ", "1"),
           rows("select s\xc3\xa4t(1), ", "1"),
           rows("select public.lower('x'), ", "1"),
           rows("select '", "\xff", std::string("\0", 1)),
       }) {
    EXPECT_EQ(guard_facts_of_long_text(text), bit(doubt)) << text.substr(0, 60);
  }
}

}  // namespace
}  // namespace trunkline::sql
