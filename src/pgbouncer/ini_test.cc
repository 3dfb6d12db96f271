#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/limits.h"
#include "pgbouncer/ini_file.h"
#include "pgbouncer/ini_settings.h"
#include "pgbouncer/userlist.h"

namespace trunkline::pgbouncer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

struct files {
  std::map<std::string, std::string> texts;

  text_reader reader() const {
    return [this](const std::string& path) -> std::expected<secret_text, std::string> {
      const auto found = texts.find(path);
      if (found == texts.end()) return std::unexpected("No such file or directory");
      return secret_text(found->second);
    };
  }
};

std::vector<std::string> shown(const ini_file& file) {
  std::vector<std::string> lines;
  for (const auto& each : file.entries)
    lines.push_back(each.where.file + ":" + std::to_string(each.where.line) + " [" + each.section + "] " +
                    each.key + "=" + each.value.reveal());
  return lines;
}

std::string problem_of(const std::string& text) {
  const files all{{{"i", text}}};
  const auto read = read_ini("i", all.reader());
  return read ? "" : read.error().render();
}

ini_settings settings_from(const std::string& text) {
  const files all{{{"i", text}}};
  const auto read = read_ini("i", all.reader());
  EXPECT_TRUE(read);
  auto made = read_settings(*read);
  EXPECT_TRUE(made) << made.error().front().render();
  return std::move(*made);
}

std::vector<std::string> problems_from(const std::string& text) {
  const files all{{{"i", text}}};
  const auto read = read_ini("i", all.reader());
  if (!read) return {read.error().render()};
  const auto made = read_settings(*read);
  std::vector<std::string> rendered;
  if (!made) {
    for (const auto& each : made.error())
      rendered.push_back(each.render());
  }
  return rendered;
}

TEST(Ini, HasSectionsKeysCommentsAndQuotes) {
  const files all{
      {{"i",
        "; first\r\n\n[databases]\r\n  app = host=a ; no comment\n\"we\"\"ird = x\" =  dbname='a b' \t\n"
        "* =\n# c\n[pgbouncer] logfile=/l\nlisten_port=  6432  \n"}}};
  const auto read = read_ini("i", all.reader());
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_THAT(shown(*read), ElementsAre("i:3 [databases] =", "i:4 [databases] app=host=a ; no comment",
                                        "i:5 [databases] we\"ird = x=dbname='a b'", "i:6 [databases] *=",
                                        "i:8 [pgbouncer] =", "i:8 [pgbouncer] logfile=/l",
                                        "i:9 [pgbouncer] listen_port=6432"));
}

TEST(Ini, IncludesGoOnInTheSameSection) {
  const files all{{{"i", "[pgbouncer]\n%include more.ini\nverbose = 1\n%include dbs.ini\n"},
                   {"more.ini", "pidfile = p\n"},
                   {"dbs.ini", "[databases]\na = host=h\n"}}};
  const auto read = read_ini("i", all.reader());
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_THAT(shown(*read), ElementsAre("i:1 [pgbouncer] =", "more.ini:1 [pgbouncer] pidfile=p",
                                        "i:3 [pgbouncer] verbose=1",
                                        "dbs.ini:1 [databases] =", "dbs.ini:2 [databases] a=host=h"));
  EXPECT_THAT(read->files, ElementsAre("i", "more.ini", "dbs.ini"));
}

TEST(Ini, SaysWhereItIsWrongAndWhatWasExpected) {
  EXPECT_EQ(problem_of("[pgbouncer\n"), "i:1:1: the section's name is not closed (expected [name])");
  EXPECT_EQ(problem_of("a = b\n"),
            "i:1:1: a setting before any section (expected [pgbouncer] or [databases])");
  EXPECT_THAT(problem_of("[pgbouncer]\n\nlisten port = 1\n"),
              HasSubstr("i:3:1: is no setting (expected key = value"));
  EXPECT_THAT(problem_of("[databases]\n\"a = b\n"), HasSubstr("i:2:1: a double quote is not closed"));
  EXPECT_THAT(problem_of("[databases]\n= b\n"), HasSubstr("a setting without a name"));
  EXPECT_EQ(problem_of("[x]\n%include nowhere\n"),
            "i:2:1: cannot read nowhere: No such file or directory (expected a readable file)");
  EXPECT_THAT(problem_of("%incl x\n"), HasSubstr("is no directive (expected %include FILE)"));
  EXPECT_THAT(problem_of("%include i\n"), HasSubstr("more than 10 files deep"));
  EXPECT_THAT(problem_of(std::string("[x]\na = \0\n", 10)), HasSubstr("zero byte"));
  EXPECT_EQ(read_ini("nowhere", files{}.reader()).error().render(),
            "nowhere: cannot be read: No such file or directory (expected a readable file)");
}

TEST(Ini, EntriesHaveALimit) {
  std::string text = "[databases]\n";
  for (std::size_t i = 1; i < limits::ini_entries; ++i)
    text += "a = host=h\n";
  EXPECT_EQ(problem_of(text), "");
  EXPECT_THAT(problem_of(text + "b = host=h\n"), HasSubstr("more than 20000 entries"));
}

TEST(ConnectionString, IsSplitAsPgbouncerDoes) {
  const auto pairs = split_pairs("  host = a  password='it''s = x' dbname=b'c ");
  ASSERT_TRUE(pairs) << pairs.error();
  std::vector<std::pair<std::string, std::string>> plain;
  for (const auto& [key, value] : *pairs)
    plain.emplace_back(key, value.reveal());
  EXPECT_THAT(plain, ElementsAre(Pair("host", "a"), Pair("password", "it's = x"), Pair("dbname", "b'c")));
  EXPECT_TRUE(split_pairs("")->empty());
  EXPECT_EQ(split_pairs("host").error(), "no `=` behind `host`");
  EXPECT_EQ(split_pairs("= a").error(), "no `=` behind ``");
  EXPECT_EQ(split_pairs("host=").error(), "`host` has no value");
  EXPECT_EQ(split_pairs("host=''").error(), "`host` has no value");
  EXPECT_EQ(split_pairs("host='a").error(), "the quote of `host` is not closed");
  EXPECT_THAT(split_list(" a, ,b,c "), ElementsAre("a", "b", "c"));
}

TEST(IniSettings, HaveValuesAndDefaults) {
  const auto made = settings_from(
      "[databases]\napp = host=h port=6000\n[users]\nu = pool_mode=session max_user_connections=3\n"
      "[peers]\n1 = host=p\n[pgbouncer]\nserver_lifetime = 1.5\nunix_socket_mode = 0700\n");
  EXPECT_EQ(made.databases.front().values.number("port"), 6000);
  EXPECT_EQ(made.users.front().values.number("max_user_connections"), 3);
  EXPECT_EQ(made.peers.front().values.number("port"), 6432);
  EXPECT_EQ(made.globals.seconds("server_lifetime"), std::chrono::milliseconds(1500));
  EXPECT_EQ(made.globals.number("unix_socket_mode"), 0700);
  EXPECT_EQ(made.globals.number("max_client_conn"), 100);
  EXPECT_FALSE(made.globals.has("max_client_conn"));
  EXPECT_TRUE(made.globals.differs("unix_socket_mode"));
  EXPECT_EQ(settings_from("[pgbouncer]\nverbose = 0x1f\n").globals.number("verbose"), 31);
  EXPECT_EQ(settings_from("[pgbouncer]\nverbose = -3\n").globals.number("verbose"), -3);
  EXPECT_FALSE(settings_from("[pgbouncer]\nserver_lifetime = 3600.0\n").globals.differs("server_lifetime"));
}

TEST(IniSettings, TheLastLineOfANameCountsAndASectionBeginsAnew) {
  const auto made = settings_from(
      "[pgbouncer]\nmax_client_conn = 7\nverbose = 2\n[databases]\na = host=x\na = "
      "host=y\n[pgbouncer]\nverbose = 1\n");
  ASSERT_EQ(made.databases.size(), 1u);
  EXPECT_EQ(made.databases.front().values.text("host"), "y");
  EXPECT_EQ(made.globals.number("max_client_conn"), 100);
  EXPECT_EQ(made.globals.number("verbose"), 1);
}

TEST(IniSettings, ProblemsNameThePlaceAndASuggestion) {
  EXPECT_THAT(
      problems_from("[pgbouncer]\nmax_client_con = 1\ndefault_pool_size = many\npool_mode = pool\n"
                    "query_timeout = -1\n[databasez]\n"),
      ElementsAre("i:2:1: max_client_con: unknown setting, did you mean `max_client_conn`? (expected a "
                  "setting of PgBouncer 1.25)",
                  "i:3:1: default_pool_size: cannot be that (expected a whole number)",
                  "i:4:1: pool_mode: cannot be that (expected session, transaction or statement)",
                  "i:5:1: query_timeout: cannot be that (expected seconds, such as 30 or 0.5)",
                  "i:6:1: unknown section [databasez], did you mean `databases`? (expected [databases], "
                  "[users], [pgbouncer] or [peers])"));
  EXPECT_THAT(problems_from(
                  "[databases]\npgbouncer = host=a\na = hots=b\nb = host\n[peers]\nx = host=a\n2 = port=1\n"),
              ElementsAre(HasSubstr("pgbouncer: is the name of the console"),
                          HasSubstr("a: hots: unknown setting, did you mean `host`?"),
                          HasSubstr("b: no `=` behind `host`"), HasSubstr("x: is no peer's number"),
                          HasSubstr("2: has no host")));
}

TEST(IniSettings, AProblemShowsNoPassword) {
  for (const auto& each : problems_from("[databases]\na = password='secret\nb = password=secret port=x\nc = "
                                        "password=secret pool_mode=secret\n"))
    EXPECT_THAT(each, testing::Not(HasSubstr("secret"))) << each;
}

TEST(Userlist, TellsWhatEachSecretIs) {
  const auto users =
      read_userlist(secret_text("; c\n# d\n\n\"a\" \"pw\" \"ignored\n \"b\"\"c\" \"it\"\"s\"\r\n\"m\" "
                                "\"md5" +
                                std::string(32, 'a') +
                                "\"\n\"s\" \"SCRAM-SHA-256$4096:a$b:c\"\n"
                                "\"n\" \"\"\n\"almost\" \"md5x\"\n"),
                    "u");
  ASSERT_TRUE(users) << users.error().render();
  EXPECT_EQ(users->at("a").kind, secret_kind::plain);
  EXPECT_EQ(users->at("b\"c").secret.reveal(), "it\"s");
  EXPECT_EQ(users->at("m").kind, secret_kind::md5);
  EXPECT_EQ(users->at("s").kind, secret_kind::scram);
  EXPECT_EQ(users->at("n").kind, secret_kind::none);
  EXPECT_EQ(users->at("almost").kind, secret_kind::plain);
}

TEST(Userlist, SaysWhereItIsWrong) {
  const auto problem = [](const std::string& text) {
    return read_userlist(secret_text(text), "u").error().render();
  };
  EXPECT_EQ(problem("\"a\" \"b\"\nc d\n"),
            "u:2:1: is no line of an auth_file (expected \"user\" \"secret\")");
  EXPECT_THAT(problem("\"a\" \"b\n"), HasSubstr("u:1:1: is no line"));
  EXPECT_THAT(problem("\"a\"\n"), HasSubstr("u:1:1: is no line"));
  EXPECT_THAT(problem("\"\" \"b\"\n"), HasSubstr("name is empty"));
  EXPECT_THAT(problem("\"a\" \"b\"\n\"a\" \"c\"\n"), HasSubstr("u:2:1: this user stands in the file twice"));
}

}  // namespace
}  // namespace trunkline::pgbouncer
