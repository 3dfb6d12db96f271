#include <gtest/gtest.h>

#include <set>

#include "telemetry/close_cause.h"
#include "telemetry/logger.h"

namespace trunkline::telemetry {
namespace {

TEST(CloseCause, CarriesTheSqlstateWhereItHasOne) {
  EXPECT_EQ((close_cause{cause::server_fatal, sqlstate("57P01")}).text(), "server_fatal:57P01");
  EXPECT_EQ((close_cause{cause::login_failed, sqlstate("28P01")}).text(), "login_failed:28P01");
  EXPECT_EQ((close_cause{cause::client_eof, sqlstate("28P01")}).text(), "client_eof");
}

TEST(CloseCause, EachHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(cause::internal); ++i) {
    EXPECT_TRUE(names.insert(name_of(static_cast<cause>(i))).second) << i;
  }
}

TEST(CloseCause, NamesTheSideThatEndedIt) {
  EXPECT_EQ(close_cause{cause::client_reset}.ended_by(), leg::client);
  EXPECT_EQ(close_cause{cause::server_fatal}.ended_by(), leg::server);
  EXPECT_EQ(close_cause{cause::drain}.ended_by(), leg::gateway);
}

const field sample[] = {{"user", std::string_view("a b\"c\n\xff\xc3\xa9")},
                        {"bytes", std::int64_t{-7}},
                        {"seconds", 0.25},
                        {"loggedIn", true},
                        {"plain", std::string_view("word")}};

TEST(Logger, WritesOneJsonObjectWhateverAClientChose) {
  EXPECT_EQ(
      render_line(log_format::json, "T", log_level::info, "session.end", "", sample),
      "{\"time\":\"T\",\"level\":\"info\",\"event\":\"session.end\",\"user\":\"a b\\\"c\\n\\ufffd\xc3\xa9\","
      "\"bytes\":-7,\"seconds\":0.25,\"loggedIn\":true,\"plain\":\"word\"}");
}

TEST(Logger, WritesOneTextLineWhateverAClientChose) {
  const auto line = render_line(log_format::text, "T", log_level::warning, "x", "first\nsecond", sample);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_NE(line.find("first second"), std::string::npos);
  EXPECT_NE(line.find("plain=word"), std::string::npos);
  EXPECT_NE(line.find("user=\"a b"), std::string::npos);
}

}  // namespace
}  // namespace trunkline::telemetry
