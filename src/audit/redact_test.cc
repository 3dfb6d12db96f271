#include "audit/redact.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "audit/grammar.h"

namespace trunkline::audit {
namespace {

constexpr std::string_view marker = "hunter2zz";

void expect_gone(const std::string& sql) {
  const std::string out = redact_secrets(sql);
  EXPECT_EQ(out.find(marker), std::string::npos) << sql << "\n  became " << out;
}

TEST(Redact, SecretsGo) {
  constexpr std::array statements{
      "ALTER ROLE bob PASSWORD 'hunter2zz'",
      "alter user bob with encrypted password 'hunter2zz' valid until '2030-01-01'",
      "CREATE ROLE bob LOGIN PASSWORD E'hunter2zz\\'x'",
      "CREATE USER bob PASSWORD $$hunter2zz$$",
      "CREATE USER bob PASSWORD $a$hunter2zz$a$; select 1",
      "select 1; ALTER GROUP bob PASSWORD /* ' */ 'hunter2zz'; select 2",
      "ALTER ROLE bob PASSWORD --'\n 'hunter2zz'",
      "ALTER ROLE bob PASSWORD U&'hunter2zz'",
      "ALTER ROLE bob PASWORD 'hunter2zz'",
      "ALTER ROLE bob PASSWORD hunter2zz",
      "ALTER ROLE bob PASSWORD \"hunter2zz\"",
      "ALTER ROLE bob PASSWORD 'it's hunter2zz'",
      "ALTER ROLE bob PASSWORD 'a; hunter2zz",
      "ALTER ROLE bob PASSWORD a;hunter2zz",
      "ALTER ROLE bob PASSWORD 'x\\'hunter2zz'",
      "ALTER ROLE bob PASSWORDhunter2zz",
      "DO $$ BEGIN ALTER ROLE bob PASSWORD 'hunter2zz'; END $$",
      "DO $$ BEGIN EXECUTE 'ALTER ROLE bob PASSWORD ''hunter2zz'''; END $$",
      "DO $$ DECLARE p text := 'hunter2zz'; BEGIN EXECUTE 'ALTER ROLE b PASSWORD ' || quote_literal(p); END "
      "$$",
      "create function f() returns void language sql as $f$ alter role b password 'hunter2zz' $f$",
      "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'u', password 'hunter2zz')",
      "ALTER USER MAPPING FOR bob SERVER s OPTIONS (SET passcode 'hunter2zz')",
      "CREATE SERVER s FOREIGN DATA WRAPPER f OPTIONS (host 'h', passwd 'hunter2zz')",
      "CREATE SUBSCRIPTION s CONNECTION 'host=h password=hunter2zz' PUBLICATION p",
      "ALTER SUBSCRIPTION s CONNECTION 'postgresql://u:hunter2zz@h/db'",
      "select dblink_connect('host=h password = hunter2zz')",
      "select dblink_connect('host=h pass' || 'word=hunter2zz')",
      "select dblink_connect(E'host=h \\x70assword=hunter2zz')",
      "SET app.password = 'hunter2zz'",
      "SET app.secret_key TO hunter2zz",
      "SET LOCAL my.token = hunter2zz",
      "select set_config('app.password', 'hunter2zz', false)",
      "select set_config(new_value => 'hunter2zz', setting_name => 'app.' || 'x', is_local => false)",
      "ALTER SYSTEM SET primary_conninfo = 'host=h password=hunter2zz'",
      "ALTER DATABASE d SET app.token = hunter2zz",
      "insert into users (name, password) values ('bob', 'hunter2zz')",
      "select 1 /* password=hunter2zz */",
      "-- ALTER ROLE bob PASSWORD 'hunter2zz'",
      "selec password 'hunter2zz",
      "update t set v = 'SCRAM-SHA-256$4096:hunter2zz'",
  };
  for (const std::string_view each : statements)
    expect_gone(std::string(each));
}

TEST(Redact, WhatIsNoSecretStays) {
  for (const std::string sql : {"select * from t where a = 'x'", "create table t (a text default 'x')",
                                "alter table t add b int default 5", "alter role bob superuser",
                                "alter role bob set search_path to 'app'", "select E'a\\nb', 'c'",
                                "alter role bob valid until '2030-01-01'",
                                "select tokens from t where a = 'x'", "create index i on t (a)",
                                "select 1 /* why */", "SET search_path = 'a'", "grant select on t to bob"}) {
    EXPECT_EQ(redact_secrets(sql), sql);
  }
  EXPECT_EQ(redact_secrets("ALTER ROLE bob PASSWORD 'x' SUPERUSER VALID UNTIL '2030-01-01'"),
            "ALTER ROLE bob PASSWORD '<redacted>' SUPERUSER VALID UNTIL '2030-01-01'");
}

TEST(Redact, SoundSqlStaysSound) {
  for (const std::string sql :
       {"ALTER ROLE bob PASSWORD 'x'", "CREATE USER MAPPING FOR bob SERVER s OPTIONS (password 'x')",
        "insert into users (name, password) values ('bob', 'x')", "SET app.password = 'x'",
        "DO $$ BEGIN ALTER ROLE bob PASSWORD 'x'; END $$"})
    EXPECT_NE(ask_grammar(redact_secrets(sql)).fingerprint, "") << redact_secrets(sql);
}

TEST(Redact, ValuesThatGiveThemselvesAway) {
  for (const std::string_view value :
       {"SCRAM-SHA-256$4096:abc$d:e", "md50123456789abcdef0123456789abcdef", "host=h password=x",
        "postgres://u:p@h/db", "alter role bob password 'x'"})
    EXPECT_TRUE(looks_secret(value)) << value;
  for (const std::string_view value : {"", "password", "a@b.c", "https://example.org/x", "md5"})
    EXPECT_FALSE(looks_secret(value)) << value;
}

/// Whatever is put around it, a password behind PASSWORD goes.
RC_GTEST_PROP(Redact, TheMarkerNeverSurvives, ()) {
  const auto noise =
      rc::gen::element<std::string>("", " ", "/* x */", "-- y\n", "'a'", "select 1;", "\"q\"", "$$z$$", "(",
                                    ")", "E'\\''", "begin;", "'", "\\", "role", "$t$", "/*");
  const auto quote = *rc::gen::elementOf(std::vector<std::pair<std::string, std::string>>{{"'", "'"},
                                                                                          {"E'", "'"},
                                                                                          {"$$", "$$"},
                                                                                          {"", ""},
                                                                                          {"\"", "\""},
                                                                                          {"'", ""},
                                                                                          {"$x$", "$x$"},
                                                                                          {"U&'", "'"}});
  const auto gap = *rc::gen::element<std::string>(" ", "/* ' */", "--'\n", "\n\t", " /* /* */ */ ");
  const auto verb = *rc::gen::element<std::string>("alter role bob ", "CREATE USER bob ENCRYPTED ",
                                                   "alter user \"b'\" with ");
  const std::string sql = *noise + *noise + " ; " + verb + "PASSWORD" + gap + quote.first +
                          std::string(marker) + quote.second + " " + *noise + *noise;
  const std::string out = redact_secrets(sql);
  RC_ASSERT(out.find(marker) == std::string::npos);
}

}  // namespace
}  // namespace trunkline::audit
