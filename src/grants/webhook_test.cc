#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "grants/webhook_body.h"

namespace trunkline::grants {
namespace {

using testing::HasSubstr;
using testing::Not;

change asked() {
  change made;
  made.of.id = 7;
  made.of.what = {
      .principal = "alice", .policy = "p", .terms = "", .route = "r", .database = "d", .user = "u"};
  made.of.rule.any_of = {"dba"};
  made.by = "alice";
  made.reason = "because <!channel> & `so`\nend";
  return made;
}

TEST(webhook_body, has_the_event_and_the_request) {
  const auto body = nlohmann::json::parse(json_body(asked(), "g-1", wall_time(std::chrono::milliseconds(1))));
  EXPECT_EQ(body["event"], "access.request");
  EXPECT_EQ(body["id"], "g-1");
  EXPECT_EQ(body["time"], "1970-01-01T00:00:00.001Z");
  EXPECT_EQ(body["request"]["principal"], "alice");
  EXPECT_EQ(body["request"]["needs"], "somebody of dba");
}

TEST(webhook_body, what_a_client_writes_mentions_nobody_in_slack) {
  const auto body = nlohmann::json::parse(slack_body(asked()));
  const auto text = body["text"].get<std::string>();
  EXPECT_THAT(text, HasSubstr("because &lt;!channel&gt; &amp;  so  end"));
  EXPECT_THAT(text, Not(HasSubstr("<")));
}

TEST(webhook_body, break_glass_is_loud) {
  change made = asked();
  made.what = change::kind::approve;
  made.of.break_glass = true;
  EXPECT_THAT(slack_body(made), HasSubstr("BREAK-GLASS"));
}

// Made with: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac secret
TEST(webhook_body, is_signed_with_its_time) {
  EXPECT_EQ(signature_of(secret_text("secret"), 1'700'000'000, "{\"a\":1}"),
            "t=1700000000,v1=49f24e537407743fa4a0242bb63b94b9a47ee99cbbe071ccd8a22550ae411686");
  EXPECT_NE(signature_of(secret_text("secret"), 1'700'000'001, "{\"a\":1}"),
            signature_of(secret_text("secret"), 1'700'000'000, "{\"a\":1}"));
}

}  // namespace
}  // namespace trunkline::grants
