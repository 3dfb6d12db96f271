#include "client/conninfo.h"

#include <gmock/gmock.h>

#include <map>

namespace trunkline::client {
namespace {

using testing::HasSubstr;
using variables = std::map<std::string, std::string>;

std::expected<conninfo, std::string> read(std::string_view dsn, const variables& set = {},
                                          const std::string& file = "") {
  const environment named = [&](const std::string& name) -> std::optional<std::string> {
    const auto at = set.find(name);
    if (at == set.end()) return std::nullopt;
    return at->second;
  };
  const password_files files = [&](const std::string&) -> std::optional<secret_text> {
    if (file.empty()) return std::nullopt;
    return secret_text(file);
  };
  return parse_conninfo(dsn, "a program", named, files);
}

TEST(conninfo, reads_pairs_with_quotes_and_escapes) {
  const auto made =
      read(R"(host = db.example.org port=6432 user='it''s me' password='a \'b\\ c' dbname=app)");
  ASSERT_FALSE(made.has_value());  // '' is no quote in libpq: the value ends there
  const auto good = read(R"(host = db.example.org port=6432 user=app password='a \'b\\ c' dbname=x\ y)");
  ASSERT_TRUE(good.has_value()) << good.error();
  EXPECT_EQ(good->servers.at(0).text(), "db.example.org:6432");
  EXPECT_EQ(good->password.reveal(), R"(a 'b\ c)");
  EXPECT_EQ(good->database, "x y");
  EXPECT_EQ(good->text(), "app@db.example.org:6432/x y");
}

TEST(conninfo, reads_urls) {
  const auto made = read(
      "postgresql://app:s%C3%A9cret%20p%27w@[2001:db8::1]:6432,other/"
      "app%2Fb?sslmode=require&application_name=x");
  ASSERT_TRUE(made.has_value()) << made.error();
  ASSERT_EQ(made->servers.size(), 2U);
  EXPECT_EQ(made->servers[0].text(), "[2001:db8::1]:6432");
  EXPECT_EQ(made->servers[1].text(), "other:5432");
  EXPECT_EQ(made->password.reveal(), "sécret p'w");
  EXPECT_EQ(made->database, "app/b");
  EXPECT_EQ(made->ssl, ssl_mode::require);
  const auto socket = read("postgres:///app?host=/run/postgresql&user=u");
  ASSERT_TRUE(socket.has_value()) << socket.error();
  EXPECT_EQ(socket->servers.at(0).text(), "unix:/run/postgresql/.s.PGSQL.5432");
}

TEST(conninfo, a_host_without_a_name_in_a_url_is_this_one) {
  const auto made = read("postgresql://u@,b:6432/d");
  ASSERT_TRUE(made.has_value()) << made.error();
  EXPECT_EQ(made->text(), "u@localhost:5432,b:6432/d");
}

TEST(conninfo, takes_what_is_missing_from_the_environment) {
  const auto made =
      read("port=1", {{"PGHOST", "h"}, {"PGUSER", "u"}, {"PGPASSWORD", "p"}, {"PGSSLMODE", "disable"}});
  ASSERT_TRUE(made.has_value()) << made.error();
  EXPECT_EQ(made->text(), "u@h:1/u");
  EXPECT_EQ(made->password.reveal(), "p");
  EXPECT_EQ(made->ssl, ssl_mode::disable);
}

TEST(conninfo, takes_the_password_from_a_file) {
  const std::string file = "# comment\nother:*:*:*:no\n*:5432:app:u\\:1:a\\:b:c\r\nlocalhost:*:*:*:local\n";
  EXPECT_EQ(find_password(file, {"db", "db", 5432}, "app", "u:1")->reveal(), "a:b:c");
  EXPECT_EQ(find_password(file, {"/run", "/run", 1}, "x", "y")->reveal(), "local");
  EXPECT_FALSE(find_password(file, {"db", "db", 5433}, "app", "u:1").has_value());
  EXPECT_EQ(read("host=db user=u:1 dbname=app", {{"HOME", "/h"}}, file)->password.reveal(), "a:b:c");
}

TEST(conninfo, verifies_as_libpq_does) {
  EXPECT_EQ(read("user=u sslmode=require sslrootcert=ca.crt")->ssl, ssl_mode::verify_ca);
  EXPECT_EQ(read("user=u sslmode=verify-ca sslrootcert=system")->ssl, ssl_mode::verify_full);
  EXPECT_TRUE(read("user=u sslmode=require sslnegotiation=direct")->direct_tls);
  EXPECT_EQ(read("user=u host=name hostaddr=10.0.0.1")->servers.at(0).reached_at, "10.0.0.1");
}

TEST(conninfo, says_what_is_wrong_and_never_a_value) {
  for (const auto& [dsn, why] :
       std::map<std::string, std::string>{{"host", "\"=\""},
                                          {"password='open secret", "no end"},
                                          {"nonsense=secret", "\"nonsense\""},
                                          {"user=u port=0secret", "port"},
                                          {"user=u port=1,2 host=a,b,c", "port"},
                                          {"user=u sslmode=allow", "sslmode"},
                                          {"user=u sslmode=verify-full", "sslrootcert"},
                                          {"user=u sslnegotiation=direct sslmode=prefer", "direct"},
                                          {"user=u target_session_attrs=primary", "target_session_attrs"},
                                          {"postgresql://u:secret%2@h", "percent"},
                                          {"postgresql://[::1/x", "bracket"}}) {
    const auto made = read(dsn);
    ASSERT_FALSE(made.has_value()) << dsn;
    EXPECT_THAT(made.error(), HasSubstr(why));
    EXPECT_THAT(made.error(), testing::Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace trunkline::client
