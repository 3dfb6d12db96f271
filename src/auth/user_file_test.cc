#include "auth/user_file.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "base/limits.h"

namespace trunkline::auth {
namespace {

const std::string verifier_text =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
const std::string md5_text = "md50123456789abcdef0123456789abcdef";

std::string error_of(std::string_view text) {
  const auto parsed = user_file::parse(text, "users.txt");
  return parsed ? "no error" : parsed.error().message;
}

TEST(UserFile, ReadsAllThreeForms) {
  const std::string text =
      "# a comment\n; another\n\n   \t\n  # indented\n"
      "alice|" +
      verifier_text + "\n" + "bob:" + verifier_text + "\r\n" + "\"carol\" \"" + verifier_text + "\"\n" +
      "\"dave \"\"D\"\" x\"\t\"pass \"\"word\"\" # 1\" trailing words\n" + "  \"erin\" \"" + md5_text +
      "\"\n" + "frank|" + md5_text + "\n" + "pg_monitor|\n" + "\"grace\" \"\"\n" + "a|b:c|" + verifier_text +
      "\n" + " spaced |" + verifier_text;
  const auto parsed = user_file::parse(text, "users.txt");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->size(), 8U);
  for (const char* user : {"alice", "bob", "carol", "a|b:c", " spaced "}) {
    const auto found = parsed->find_verifier(user);
    ASSERT_TRUE(found) << user;
    EXPECT_EQ(format_verifier(**found).reveal(), verifier_text);
  }
  const user_secret* dave = parsed->find("dave \"D\" x");
  ASSERT_NE(dave, nullptr);
  ASSERT_TRUE(std::holds_alternative<plaintext_secret>(*dave));
  EXPECT_EQ(std::get<plaintext_secret>(*dave).password.reveal(), "pass \"word\" # 1");
  for (const char* user : {"erin", "frank"}) {
    ASSERT_NE(parsed->find(user), nullptr);
    EXPECT_EQ(std::get<md5_secret>(*parsed->find(user)).hash.reveal(), md5_text);
  }
  EXPECT_EQ(parsed->find("pg_monitor"), nullptr);
  EXPECT_EQ(parsed->find("grace"), nullptr);
  EXPECT_EQ(parsed->find("Alice"), nullptr);
}

TEST(UserFile, SaysWhyAUserHasNoVerifier) {
  const auto parsed = user_file::parse("\"m\" \"" + md5_text + "\"\n\"p\" \"plain\"\n", "users.txt");
  ASSERT_TRUE(parsed);
  const auto md5 = parsed->find_verifier("m");
  ASSERT_FALSE(md5);
  EXPECT_NE(md5.error().message.find("md5 hash"), std::string::npos);
  EXPECT_NE(md5.error().hint.find("scram-sha-256"), std::string::npos);
  EXPECT_NE(parsed->find_verifier("p").error().message.find("plaintext"), std::string::npos);
  EXPECT_NE(parsed->find_verifier("x").error().message.find("no such user"), std::string::npos);
}

TEST(UserFile, ErrorsNameTheLineAndNeverTheSecret) {
  const std::string good = "alice|" + verifier_text + "\n";
  const std::string cut = verifier_text.substr(0, verifier_text.size() - 3);
  EXPECT_TRUE(error_of(good + "bob|" + cut).starts_with("users.txt:2: invalid SCRAM verifier"));
  EXPECT_TRUE(error_of(good + "\n\nbob hunter2").starts_with("users.txt:4: expected name|"));
  EXPECT_TRUE(error_of("bob:hunter2").starts_with("users.txt:1: expected name|"));
  EXPECT_TRUE(error_of("\"bob\" \"hunter2").starts_with("users.txt:1: a double quote is not closed"));
  EXPECT_TRUE(error_of("\"bob\" hunter2").starts_with("users.txt:1: expected a double quote"));
  EXPECT_TRUE(error_of("\"bob\"").starts_with("users.txt:1: expected a double quote"));
  EXPECT_TRUE(error_of("\"\" \"hunter2\"").starts_with("users.txt:1: the user's name is empty"));
  EXPECT_TRUE(error_of("|" + verifier_text).starts_with("users.txt:1: the user's name is empty"));
  EXPECT_TRUE(error_of(good + good).starts_with("users.txt:2: this user stands in the file twice"));
  EXPECT_TRUE(error_of("\"b\" \"SCRAM-SHA-256$hunter2\"").starts_with("users.txt:1: invalid SCRAM verifier"));
  const std::string long_name(limits::user_name_bytes_max + 1, 'n');
  EXPECT_TRUE(error_of(long_name + "|" + verifier_text).starts_with("users.txt:1: the user's name"));
  for (const std::string& bad : {"bob|" + cut, std::string("bob hunter2"), std::string("\"bob\" \"hunter2"),
                                 std::string("\"b\" \"SCRAM-SHA-256$hunter2\"")}) {
    EXPECT_EQ(error_of(bad).find("hunter2"), std::string::npos);
    EXPECT_EQ(error_of(bad).find("WG5d"), std::string::npos);
  }
}

TEST(UserFile, IsLimitedInBytesAndUsers) {
  EXPECT_NE(error_of(std::string(limits::user_file_bytes + 1, '\n')).find("longer than"), std::string::npos);
  std::string many;
  for (std::size_t i = 0; i < limits::user_file_users; ++i)
    many += "\"" + std::to_string(i) + "\" \"p\"\n";
  EXPECT_EQ(error_of(many), "no error");
  EXPECT_EQ(error_of(many + "\"one more\" \"p\"\n"), "users.txt:200001: more than 200000 users");
}

TEST(UserFile, UsualIterationsIsTheMostFrequentCount) {
  EXPECT_EQ(user_file().usual_iterations(), default_iterations);
  std::string other = verifier_text;
  other.replace(other.find("4096"), 4, "8192");
  const auto parsed =
      user_file::parse("a|" + other + "\nb|" + verifier_text + "\nc|" + other + "\n", "users.txt");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->usual_iterations(), 8192U);
}

TEST(UserFile, EveryTruncationIsReadOrRefused) {
  const std::string text = "alice|" + verifier_text + "\n\"bob\" \"x\"\n";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const auto parsed = user_file::parse(text.substr(0, size), "f");
    if (parsed) {
      EXPECT_LE(parsed->size(), 2U);
    } else {
      EXPECT_EQ(parsed.error().message.find("WG5d"), std::string::npos);
    }
  }
}

RC_GTEST_PROP(UserFile, QuotedNamesAndPasswordsComeBack, (std::string name, std::string password)) {
  const auto usable = [](const std::string& text) {
    return !text.empty() && text.find('\n') == std::string::npos;
  };
  RC_PRE(usable(name) && usable(password));
  const auto quoted = [](const std::string& text) {
    std::string out = "\"";
    for (char c : text)
      out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + '"';
  };
  const auto parsed = user_file::parse(quoted(name) + ' ' + quoted(password) + '\n', "f");
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->find(name) != nullptr);
  RC_ASSERT(std::get<plaintext_secret>(*parsed->find(name)).password.reveal() == password);
}

}  // namespace
}  // namespace trunkline::auth
