#include "sql/effects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/limits.h"

namespace trunkline::sql {
namespace {

using enum effect;

struct expectation {
  std::string_view text;
  std::vector<effect> bits;
  std::vector<std::string> settings;
};

effects expected(const expectation& each) {
  effects made;
  for (const effect bit : each.bits)
    made.add(bit);
  made.settings = each.settings;
  return made;
}

void check(const std::vector<expectation>& table) {
  for (const expectation& each : table) {
    const effects found = find_effects(each.text);
    const effects want = expected(each);
    EXPECT_EQ(found.bits, want.bits) << each.text;
    EXPECT_EQ(found.settings, want.settings) << each.text;
  }
}

const std::vector<std::string_view> clean_texts{
    "select 1",
    "SELECT * FROM t WHERE a = 'x' AND b IN (1, 2, 3)",
    "insert into t values (1) returning *",
    "update t set a = a + 1 where b = $1",
    "delete from t using s where s.a = t.a",
    "values (1), (2)",
    "table t",
    "merge into t using s on t.a = s.a when matched then delete when not matched then insert values (1)",
    "copy t from stdin",
    "copy (select 1) to stdout",
    "explain select 1",
    "explain analyze select count(*) from t",
    "create index i on t (lower(a))",
    "alter table t add column b int",
    "drop table t",
    "begin",
    "start transaction isolation level serializable",
    "commit",
    "rollback",
    "savepoint a",
    "release a",
    "rollback to a",
    "prepare transaction 'x'",
    "commit prepared 'x'",
    "set local work_mem = '1MB'",
    "set local role x",
    "set local session authorization x",
    "set transaction read only",
    "set transaction snapshot 'x'",
    "set constraints all deferred",
    "notify a, 'b'",
    "lock table t",
    "declare c cursor for select 1",
    "declare c binary insensitive scroll cursor without hold for select 1",
    "fetch 5 from c",
    "move all from c",
    "show all",
    "show work_mem",
    "vacuum full t",
    "analyze",
    "checkpoint",
    "reindex table t",
    "cluster t",
    "refresh materialized view v",
    "truncate t",
    "grant select on t to x",
    "comment on table t is 'x'",
    "security label on table t is 'x'",
    "alter role r set work_mem = '1MB'",
    "alter database d set work_mem = '1MB'",
    "alter system set work_mem = '1MB'",
    "drop function f()",
    "alter function f() set work_mem = '1MB'",
    "alter sequence s restart",
    "import foreign schema a from server s into b",
    "select set_config('a.b', 'c', true)",
    "select pg_catalog.set_config('a.b', $1, true)",
    "select now(), current_user, extract(year from now()), pg_catalog.lower('X'), coalesce(a, b) from t",
    "select count(*) filter (where a), rank() over (partition by b) from t group by rollup (c)",
    "select nextval('s'), setval('s', 1)",
    "select pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(1)",
    "select pg_notify('a', 'b')",
    "select * from pg_stat_activity where pid = pg_backend_pid()",
    "select '{}'::jsonb -> 'a', a::my_type, a operator(pg_catalog.~) 'b' from t",
    "select lo_open(1, 2)",
    "select current_setting('a.b')",
    "select postgres_fdw_get_connections()",
    "set transaction_read_only = on",
    "with x as (insert into t values (1) returning *) select * from x",
    "select * from t for update",
    "select * from generate_series(1, 10) with ordinality",
    "",
    " ",
    ";;",
    "-- nothing",
    "/* /* no */ thing */",
};

TEST(Effects, WhatEndsWithTheTransactionIsClean) {
  for (const std::string_view text : clean_texts) {
    const effects found = find_effects(text);
    EXPECT_TRUE(found.clean()) << text;
    EXPECT_EQ(found.bits, 0U) << text;
  }
}

TEST(Effects, SettingsByName) {
  check({
      {"set work_mem = '1MB'", {}, {"work_mem"}},
      {"SET SESSION x.Y = 1", {}, {"x.y"}},
      {"set x.y to default", {}, {"x.y"}},
      {"reset Work_Mem", {}, {"work_mem"}},
      {"set time zone 'UTC'", {}, {"timezone"}},
      {"set time zone local", {}, {"timezone"}},
      {"reset time zone", {}, {"timezone"}},
      {"set names 'utf8'", {}, {"client_encoding"}},
      {"set schema 'x'", {path}, {"search_path"}},
      {"set search_path = a, b", {path}, {"search_path"}},
      {"set local search_path = a", {path}, {}},
      {"set xml option document", {}, {"xmloption"}},
      {"set session characteristics as transaction read only, isolation level serializable",
       {},
       {"default_transaction_read_only", "default_transaction_isolation"}},
      {"set \"A.b\" = 1", {}, {"a.b"}},
      {"set \"a\\\"\"\n.b\" = 1", {}, {"a\\\"\n.b"}},
      {"begin; set x = 1; commit", {}, {"x"}},
      {"set x = 1; set y = 2; set x = 3", {}, {"x", "y"}},
      {"reset all", {reset_all, path}, {}},
      {"select set_config('a.b', 'c', false)", {}, {"a.b"}},
      {"select set_config('A.B'::text, $1, $2)", {}, {"a.b"}},
      {"select set_config('a', 'b', 't')", {}, {"a"}},
      {"select set_config('a', 'b', not false)", {}, {"a"}},
      {"select * from (select set_config('a.b','c',false)) x", {}, {"a.b"}},
      {"select 1 from set_config('a', 'b', false)", {}, {"a"}},
      {"insert into t values (set_config('a', set_config('b', 'c', false), true))", {}, {"b"}},
      {"select set_config($1, 'b', false)", {all_settings, path, inspect}, {}},
      {"select set_config(a, b, true) from t", {path}, {}},
      {"select set_config('a' || 'b', 'c', false)", {all_settings, path, inspect}, {}},
      {"select set_config('abc'::char, 'c', false)", {all_settings, path, inspect}, {}},
      {"select set_config(null, 'c', false)", {all_settings, path, inspect}, {}},
      {"select set_config(variadic array['a', 'b', 'true'])", {all_settings, path, inspect}, {}},
      {"select set_config('search_path', 'a', true)", {path}, {}},
      {"select set_config('search_path', '', false)", {path}, {"search_path"}},
      {"select set_config('Role', 'x', false)", {role}, {}},
      {"explain select set_config('a', 'b', false)", {}, {"a"}},
      {"copy (select set_config('a', 'b', false)) to stdout", {}, {"a"}},
      {"update pg_settings set setting = '1' where name = 'work_mem'", {all_settings, path, inspect}, {}},
      {"with x as (update pg_catalog.pg_settings s set setting = '1' returning *) select 1",
       {all_settings, path, inspect},
       {}},
  });
}

TEST(Effects, Roles) {
  check({
      {"set role x", {role}, {}},
      {"set session role none", {role}, {}},
      {"reset role", {role}, {}},
      {"set session authorization x", {role}, {}},
      {"set session authorization default", {role}, {}},
      {"reset session authorization", {role}, {}},
  });
}

TEST(Effects, WhatTheSessionMayHoldAfterwards) {
  check({
      {"prepare p as select 1", {prepare, inspect}, {}},
      {"prepare p (int) as insert into t values ($1)", {prepare, inspect}, {}},
      {"create temp table if not exists t (a int)", {temporary, inspect, creates}, {}},
      {"create local temporary table t as select 1", {temporary, inspect, creates}, {}},
      {"create temp table t (a int) on commit drop", {temporary, inspect, creates}, {}},
      {"create table pg_temp.x()", {temporary, inspect, creates}, {}},
      {"create table PG_TEMP.x as select 1", {temporary, inspect, creates}, {}},
      {"create table pg_temp_3.x()", {temporary, inspect, creates}, {}},
      {"create temp view v as select 1", {temporary, inspect, creates}, {}},
      {"create temp recursive view v (a) as select 1", {temporary, inspect, creates}, {}},
      {"create temporary sequence s", {temporary, inspect, creates}, {}},
      {"create function pg_temp.f() returns int language sql return 1", {temporary, inspect, creates}, {}},
      {"create type pg_temp.t as (a int)", {temporary, inspect, creates}, {}},
      {"create type pg_temp.t as enum ('a')", {temporary, inspect, creates}, {}},
      {"create domain pg_temp.d as int", {temporary, inspect, creates}, {}},
      {"create aggregate pg_temp.a (int) (sfunc = int4pl, stype = int)", {temporary, inspect, creates}, {}},
      {"select 1 into temp x", {temporary, inspect, creates}, {}},
      {"select * into temporary table x from t", {temporary, inspect, creates}, {}},
      {"explain analyze create temp table t as select 1", {temporary, inspect, creates}, {}},
      {"declare c cursor with hold for select 1", {hold_cursor, inspect}, {}},
      {"declare c binary scroll cursor with hold for select 1", {hold_cursor, inspect}, {}},
      {"select pg_advisory_lock(1)", {advisory_lock, inspect}, {}},
      {"with x as (select pg_advisory_lock(1)) select", {advisory_lock, inspect}, {}},
      {"select pg_try_advisory_lock_shared(1, 2)", {advisory_lock, inspect}, {}},
      {"select 1 where exists (select pg_catalog.pg_try_advisory_lock(1))", {advisory_lock, inspect}, {}},
      {"listen a", {listen, inspect}, {}},
      {"load 'x'", {load, inspect}, {}},
      {"select plpgsql_validator(1)", {load, inspect}, {}},
      {"select currval('s')", {sequence_read, inspect}, {}},
      {"insert into t values (lastval())", {sequence_read, inspect}, {}},
      {"select setseed(0.5)", {seed, inspect}, {}},
      {"set seed = 0.5", {seed, inspect}, {}},
      {"select set_config('seed', '0.5', false)", {seed, inspect}, {}},
      {"select dblink_connect('a', 'b')", {connection, inspect}, {}},
      {"select public.dblink_connect_u('a', 'b')", {connection, inspect}, {}},
      {"select pg_backup_start('a')", {session_bound, inspect}, {}},
      {"select pg_replication_origin_session_setup('a')", {session_bound, inspect}, {}},
      {"select pg_create_logical_replication_slot('a', 'test_decoding', true)", {session_bound, inspect}, {}},
      {"execute p (1)", {execute, inspect}, {}},
      {"explain execute p", {execute, inspect}, {}},
      {"create table t as execute p", {execute, inspect, creates}, {}},
      {"unlisten *", {unlisten, inspect}, {}},
      {"deallocate all", {deallocate, inspect}, {}},
      {"deallocate prepare p", {deallocate, inspect}, {}},
      {"discard all", {discard_all, inspect, reset_all, path, role}, {}},
      {"discard plans", {discard_plans, inspect}, {}},
      {"discard sequences", {discard_sequences, inspect}, {}},
      {"discard temp", {discard_temporary, inspect}, {}},
      {"select pg_advisory_unlock_all()", {advisory_unlock, inspect}, {}},
      {"select dblink_disconnect()", {disconnect, inspect}, {}},
      {"close all", {close_cursor}, {}},
      {"create table t (a int)", {creates}, {}},
      {"select 1 into t", {creates}, {}},
  });
}

TEST(Effects, OnDoubtTheServerIsAsked) {
  for (const std::string_view text : {"do $$begin end$$",
                                      "call p()",
                                      "select f()",
                                      "select my.lower('x')",
                                      "select a.b.c(1)",
                                      "select my.set_config('a', 'b', true)",
                                      "explain analyze select f()",
                                      "select * from f() as x",
                                      "select * from rows from (f(), now())",
                                      "select a from t order by f(a)",
                                      "select a from t limit f()",
                                      "insert into t values (1) on conflict (a) do update set b = f()",
                                      "select count(*) over (partition by f(a)) from t",
                                      "select case when f() then 1 end",
                                      "select array[f()]",
                                      "select 1 = any (array[f()])",
                                      "select 1 union select f()",
                                      "copy (select f()) to stdout",
                                      "select a operator(my.+) b from t",
                                      "select a operator(my.=) any (array[1]) from t",
                                      "select a from t order by a using operator(my.<)",
                                      "select \"SET_CONFIG\"('a', 'b', true)",
                                      "select query_to_xml('select 1', true, true, '')",
                                      "select ts_stat('select 1')",
                                      "select binary_upgrade_set_next_pg_type_oid(1)",

                                      "alter extension x update",
                                      "create index on t (f(a))",

                                      "selec 1",
                                      "select 'a",
                                      "select /* a",
                                      "select 0x1f",
                                      "select 1_000",
                                      "select \"a",
                                      "merge into t using s on true when not matched by source then delete",
                                      "set",
                                      "select E'\\000'",
                                      "select f(x => 1)",
                                      "select lateral_thing.* from t, lateral f(t.a) lateral_thing",
                                      "select 1\v"}) {
    const effects found = find_effects(text);
    EXPECT_EQ(found.bits, static_cast<std::uint32_t>(inspect)) << text;
    EXPECT_FALSE(found.clean()) << text;
  }
}

TEST(Effects, ScriptsOfExtensionsAreNotInTheText) {
  check({{"create extension if not exists x", {inspect, creates}, {}}});
}

TEST(Effects, AllStatementsOfATextCount) {
  const effects found = find_effects("select 1; /* ; */ listen a; set a.b = ';'; select currval('s')");
  EXPECT_EQ(found.statements, 4U);
  EXPECT_EQ(found.kind, statement_kind::read_only);
  EXPECT_TRUE(found.has(listen) && found.has(sequence_read));
  EXPECT_THAT(found.settings, testing::ElementsAre("a.b"));
  EXPECT_EQ(find_effects(";; select 1 ;;").statements, 1U);
  EXPECT_EQ(find_effects("selec 1").statements, 0U);
}

TEST(Effects, NamesOfPreparedStatements) {
  EXPECT_EQ(find_effects("execute \"P\\q\"(1)").execute_name, "P\\q");
  EXPECT_EQ(find_effects("execute P; execute p").execute_name, "p");
  EXPECT_EQ(find_effects("execute p; execute q").execute_name, "");
  EXPECT_EQ(find_effects("execute p; execute q; execute q").execute_name, "");
  EXPECT_EQ(find_effects("listen Chan").listen_name, "chan");
  EXPECT_EQ(find_effects("listen \"Cha\"\"n\"").listen_name, "Cha\"n");
  EXPECT_EQ(find_effects("listen a; listen b").listen_name, "");
  EXPECT_EQ(find_effects("unlisten a").unlisten_name, "a");
  EXPECT_EQ(find_effects("select 1; unlisten *; reset all").unlisten_name, "*");
  EXPECT_EQ(find_effects("unlisten *; unlisten a").unlisten_name, "");
  EXPECT_EQ(find_effects("deallocate p").deallocate_name, "p");
  EXPECT_EQ(find_effects("deallocate p; deallocate all").deallocate_name, "");
  EXPECT_EQ(find_effects("deallocate all; deallocate p").deallocate_name, "");
}

TEST(Effects, KindOfTheFirstStatement) {
  using enum statement_kind;
  const std::vector<std::pair<std::string_view, statement_kind>> table{
      {"", empty},
      {"-- x", empty},
      {"select 1", read_only},
      {"(select a from t) union all (select b from s) order by 1", read_only},
      {"values (1)", read_only},
      {"with x as (select 1) select * from x", read_only},
      {"show work_mem", read_only},
      {"explain (costs off) select 1", read_only},
      {"select random(), pg_is_in_recovery(), pg_stat_get_numscans(1)", read_only},
      {"select set_config('a.b', 'c', true)", other},
      {"explain analyze select 1", other},
      {"explain (analyze false) select 1", other},
      {"explain delete from t", other},
      {"select f()", other},
      {"select nextval('s')", other},
      {"select pg_current_xact_id()", other},
      {"select pg_advisory_xact_lock(1)", other},
      {"select * from t for share", other},
      {"select * from (select * from t for no key update) x", other},
      {"with x as (delete from t returning *) select * from x", other},
      {"select 1 into t", ddl},
      {"insert into t values (1)", other},
      {"begin read only", begins},
      {"start transaction", begins},
      {"end", ends},
      {"commit and chain", ends},
      {"abort", ends},
      {"prepare transaction 'x'", ends},
      {"rollback to x", other},
      {"commit prepared 'x'", other},
      {"create table t()", ddl},
      {"create table t as select 1", ddl},
      {"alter type t add value 'x'", ddl},
      {"drop view v", ddl},
      {"alter table a rename to b", ddl},
      {"create function f() returns int language sql return 1", ddl},
      {"copy t to stdout", copy},
      {"set x = 1", other},
      {"selec", other},
      {"vacuum", other},
  };
  for (const auto& [text, kind] : table)
    EXPECT_EQ(find_effects(text).kind, kind) << text;
}

TEST(Effects, WhereConstantsDecide) {
  for (const std::string_view text :
       {"select set_config('a', 'b', true)", "set x = 1", "deallocate p", "execute p",
        "explain (analyze 0) select 1", "show x", "selec 1", "select 1; set x = 1", "create table t()"})
    EXPECT_TRUE(find_effects(text).depends_on_text) << text;
  for (const std::string_view text : {"select 1", "insert into t values (1, 'x')",
                                      "begin; update t set a = 1; commit", "select f('x')", ""})
    EXPECT_FALSE(find_effects(text).depends_on_text) << text;
}

TEST(Effects, BodiesOfFunctionsAreNotRun) {
  check({
      {"create function f() returns void language sql begin atomic select pg_advisory_lock(1); end",
       {creates},
       {}},
      {"create procedure p() language plpgsql set x.y = 1 as 'begin end'", {creates}, {}},
      {"alter function f() set x.y = 1", {}, {}},
  });
}

TEST(Effects, LimitsMakeItUnknown) {
  std::string text = "select '";
  text.append(limits::sql_text_bytes - text.size() - 1, 'x');
  text += '\'';
  EXPECT_TRUE(find_effects(text).clean()) << "just fits";
  text.insert(8, "x");
  EXPECT_EQ(find_effects(text), unknown_effects());
  const auto repeated = [](std::string_view piece, std::size_t count) {
    std::string made;
    for (std::size_t i = 0; i < count; ++i)
      made += piece;
    return made;
  };
  const std::size_t most = limits::sql_depth;
  EXPECT_TRUE(find_effects("select 1" + repeated("+1", most - 10)).clean());
  EXPECT_TRUE(find_effects("select 1" + repeated(",1", most * 4)).clean()) << "a list is not deep";
  EXPECT_TRUE(find_effects(repeated("select 1+1;", most)).clean()) << "nor are many statements";
  for (const std::string& deep :
       {"select 1" + repeated("+1", most), "select " + repeated("- ", most) + "1",
        "select " + repeated("(", 2 * most), "select 1,1" + repeated("union select 1,1 ", most / 2),
        "select a" + repeated("[1", most)})
    EXPECT_EQ(find_effects(deep), unknown_effects());
  std::string many;
  for (std::size_t i = 0; i < limits::sql_settings; ++i)
    many += "set a.b" + std::to_string(i) + "=1;";
  EXPECT_EQ(find_effects(many).settings.size(), limits::sql_settings);
  EXPECT_FALSE(find_effects(many).has(inspect));
  const effects more = find_effects(many + "set c = 1");
  EXPECT_TRUE(more.has(inspect) && more.has(all_settings));
  EXPECT_EQ(more.settings.size(), limits::sql_settings);
  const std::string name = "a." + std::string(limits::sql_setting_bytes - 1, 'b');
  EXPECT_TRUE(find_effects("select set_config('" + name + "', '', false)").has(all_settings));
}

TEST(Effects, TokensInDoubtMakeItUnknown) {
  const lexical_rules old_strings{.standard_conforming_strings = false};
  EXPECT_TRUE(find_effects(R"(select '\'; set x = 1; --')").clean() == false);
  EXPECT_EQ(find_effects(R"(select 'a\'' || 'b')", old_strings), unknown_effects());
  EXPECT_TRUE(find_effects(R"(select 'ab', E'\n', $$\$$, "a\")", old_strings).clean());
  const lexical_rules shift_jis{.ascii_superset = is_ascii_superset("SJIS")};
  EXPECT_EQ(find_effects("select '\x95\x5c'", shift_jis), unknown_effects());
  EXPECT_TRUE(find_effects("select 'a'", shift_jis).clean());
  EXPECT_TRUE(find_effects("select 'ä', ü.\"ö\" from ü").clean());
  EXPECT_TRUE(is_ascii_superset("UTF8") && is_ascii_superset("LATIN1"));
  EXPECT_EQ(find_effects(std::string_view("select 1\0; set x = 1", 20)), unknown_effects());
}

TEST(Effects, StatementsThatLeaveSequencesAsTheyAreAreKnown) {
  for (const char* text :
       {"prepare p as select nextval('s')", "reset all", "set work_mem = '1MB'", "savepoint a", "listen news",
        "deallocate p", "close c", "select pg_advisory_unlock(1), pg_catalog.pg_advisory_lock(2)",
        "select set_config('a.b', 'c', true)", "select currval('s')", "select setseed(0.5)",
        "select * from t for update", "select pg_notify('a', 'b')"})
    EXPECT_TRUE(find_effects(text, {}).keeps_sequences) << text;
  for (const char* text :
       {"execute p", "insert into t values (1)", "select nextval('s')", "do $$ begin end $$", "call f()",
        "declare c cursor for select nextval('s')", "fetch c", "not a statement", "select setval('s', 1)",
        "select f()", "select a.f()", "select a.b.c()", "select a operator(b.+) c", "select 1 into t",
        "with i as (insert into t values (1) returning a) select a from i",
        "select query_to_xml('select nextval(1)', true, true, '')", "select dblink_disconnect()"})
    EXPECT_FALSE(find_effects(text, {}).keeps_sequences) << text;
}

}  // namespace
}  // namespace trunkline::sql
