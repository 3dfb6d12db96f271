#include "auth/oauthbearer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/token_review.h"

namespace trunkline::auth {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string token_in(std::string text) {
  for (char& c : text)
    c = c == '^' ? '\x01' : c;
  const auto made = parse_oauthbearer(as_bytes(text));
  if (!made) {
    EXPECT_EQ(made.error().code, sqlstates::protocol_violation);
    return made.error().message;
  }
  return "<" + std::string(*made) + ">";
}

TEST(Oauthbearer, HasOneToken) {
  EXPECT_EQ(token_in("n,,^auth=Bearer abc.d-e_f~/+==^^"), "<abc.d-e_f~/+==>");
  EXPECT_EQ(token_in("y,,^host=db^port=5432^auth=bearer  abc^^"), "<abc>");
  EXPECT_EQ(token_in("n,,^auth=^^"), "<>") << "it asks where to get one";
}

TEST(Oauthbearer, WhatIsMalformed) {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "authorization identity"},
           {"n,a=root,^auth=Bearer abc^^", "authorization identity"},
           {"p=tls-unique,,^auth=Bearer abc^^", "channel binding"},
           {"n,,", "separator"},
           {"n,,auth=Bearer abc^^", "separator"},
           {"n,,^auth=Bearer abc^", "its end is missing"},
           {"n,,^auth=Bearer abc^^^", "follows its end"},
           {"n,,^^", "has no token"},
           {"n,,^auth=Bearer abc^auth=Bearer abd^^", "two tokens"},
           {"n,,^auth=Basic abc^^", "not Bearer"},
           {"n,,^auth=Bearerabc^^", "not Bearer"},
           {"n,,^auth=Bearer ^^", "no token"},
           {"n,,^auth=Bearer a b^^", "no token"},
           {"n,,^auth=Bearer a=b^^", "no token"},
           {"n,,^auth^^", "without a value"},
           {"n,,^=x^^", "without a value"},
           {"n,,^au2th=x^^", "without a value"}})
    EXPECT_THAT(token_in(text), HasSubstr(why)) << text;
}

TEST(Oauthbearer, SaysWhereToGetAToken) {
  EXPECT_EQ(
      oauthbearer_failure("openid db", "https://idp/.well-known/openid-configuration"),
      R"({"status":"invalid_token","openid-configuration":"https://idp/.well-known/openid-configuration",)"
      R"("scope":"openid db"})");
  EXPECT_TRUE(is_oauthbearer_acknowledgement(as_bytes("\x01")));
  EXPECT_FALSE(is_oauthbearer_acknowledgement(as_bytes("")));
  EXPECT_FALSE(is_oauthbearer_acknowledgement(as_bytes("\x01\x01")));
}

std::string reviewed(const std::string& status) {
  const auto made = read_token_review(R"({"kind":"TokenReview","status":)" + status + "}", {"db", "x"});
  if (!made) return "no answer: " + made.error().message;
  if (const auto* why = std::get_if<token_refusal>(&*made)) return why->reason;
  const auto& who = std::get<identity>(*made);
  std::string text = who.principal;
  for (const auto& each : who.groups)
    text += " " + each;
  return text;
}

TEST(TokenReview, AsksAndIsAnswered) {
  EXPECT_EQ(
      token_review_body("t", {"db"}),
      R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"audiences":["db"],"token":"t"}})");
  EXPECT_EQ(
      reviewed(R"({"authenticated":true,"audiences":["db"],"user":{"username":"system:serviceaccount:a:b",
                         "groups":["z","a","z"]}})"),
      "system:serviceaccount:a:b a z");
  EXPECT_THAT(reviewed(R"({"authenticated":false,"error":"x"})"), HasSubstr("does not know"));
  EXPECT_THAT(reviewed(R"({"error":"x"})"), HasSubstr("does not know"));
  EXPECT_THAT(reviewed(R"({"authenticated":"true"})"), HasSubstr("does not know"));
  EXPECT_THAT(
      reviewed(R"({"authenticated":true,"audiences":["y"],"user":{"username":"system:serviceaccount:a:b"}})"),
      HasSubstr("another audience"));
  EXPECT_THAT(reviewed(R"({"authenticated":true,"user":{"username":"system:serviceaccount:a:b"}})"),
              HasSubstr("another audience"))
      << "an API server that does not look at audiences";
  EXPECT_THAT(reviewed(R"({"authenticated":true,"audiences":["db"],"user":{"username":"kubernetes-admin"}})"),
              HasSubstr("of no service account"));
  EXPECT_THAT(reviewed(R"({"authenticated":true,"audiences":["db"],"user":{}})"), HasSubstr("no answer"));
  EXPECT_THAT(
      reviewed(R"({"authenticated":true,"audiences":["db"],"user":{"username":"system:serviceaccount:a:b",
                           "groups":[7]}})"),
      HasSubstr("no answer"));
  EXPECT_THAT(reviewed("7"), HasSubstr("no answer"));
  EXPECT_FALSE(read_token_review("<html>", {"db"}));
}

TEST(TokenReview, WithoutTheApiServer) {
  const auto verdict = as_service_account({.principal = "system:serviceaccount:prod:app"});
  EXPECT_THAT(std::get<identity>(verdict).groups,
              ElementsAre("system:authenticated", "system:serviceaccounts", "system:serviceaccounts:prod"));
  for (const char* each :
       {"alice", "system:serviceaccount:", "system:serviceaccount:a", "system:serviceaccount::b",
        "system:serviceaccount:a:", "system:serviceaccount:a:b:c"})
    EXPECT_TRUE(std::holds_alternative<token_refusal>(as_service_account({.principal = each}))) << each;
}

}  // namespace
}  // namespace trunkline::auth
