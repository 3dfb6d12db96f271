#include "auth/access_review.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "auth/token_review.h"
#include "base/limits_kubernetes.h"

namespace trunkline::auth {
namespace {

using nlohmann::json;

const identity app{
    .principal = "system:serviceaccount:prod:app",
    .groups = {"system:authenticated", "system:serviceaccounts"},
    .uid = "u-1",
    .extra = {{"authentication.kubernetes.io/pod-name", {"app-7"}}, {"example.org/team", {"a", "b"}}}};

TEST(AccessReview, AsksAboutOneVerbOfOneRoute) {
  const json asked = json::parse(access_review_body(app, "connect", {"prod", "orders"}));
  EXPECT_EQ(asked["apiVersion"], "authorization.k8s.io/v1");
  EXPECT_EQ(asked["kind"], "SubjectAccessReview");
  const json wanted{{"group", "trunkline.dev"}, {"version", "*"},   {"resource", "postgresroutes"},
                    {"namespace", "prod"},      {"name", "orders"}, {"verb", "connect"}};
  EXPECT_EQ(asked["spec"]["resourceAttributes"], wanted);
  EXPECT_EQ(asked["spec"]["user"], app.principal);
  EXPECT_EQ(asked["spec"]["groups"], json(app.groups));
  EXPECT_EQ(asked["spec"]["uid"], "u-1");
}

TEST(AccessReview, TellsOfTheUserAndNotOfOneOfItsPods) {
  const json asked = json::parse(access_review_body(app, "connect", {"prod", "orders"}));
  EXPECT_EQ(asked["spec"]["extra"], json({{"example.org/team", {"a", "b"}}}));
}

TEST(AccessReview, ANameIsNoMoreThanAName) {
  identity odd{.principal = "a\",\"verb\":\"*"};
  const json asked = json::parse(access_review_body(odd, "connect", {"n", "\xff"}));
  EXPECT_EQ(asked["spec"]["user"], odd.principal);
  EXPECT_EQ(asked["spec"]["resourceAttributes"]["verb"], "connect");
  EXPECT_FALSE(asked["spec"].contains("uid"));
}

result<access_verdict> read(const json& status) {
  return read_access_review(json{{"kind", "SubjectAccessReview"}, {"status", status}}.dump());
}

TEST(AccessReview, OnlyAYesIsOne) {
  EXPECT_TRUE(read({{"allowed", true}, {"reason", "RBAC: allowed"}})->allowed);
  EXPECT_EQ(read({{"allowed", true}, {"reason", "RBAC: allowed"}})->reason, "RBAC: allowed");
  EXPECT_FALSE(read({{"allowed", false}})->allowed);
  EXPECT_FALSE(read({{"allowed", true}, {"denied", true}})->allowed);
}

TEST(AccessReview, ANoIsOneAlsoWhereARoleIsGone) {
  const auto no = read({{"allowed", false}, {"evaluationError", "clusterrole \"x\" not found"}});
  ASSERT_TRUE(no);
  EXPECT_FALSE(no->allowed);
  EXPECT_EQ(no->reason, "clusterrole \"x\" not found");
}

TEST(AccessReview, WhatIsNoAnswerSaysNothing) {
  for (const char* const wrong :
       {"", "[]", "true", "{}", R"({"kind":"Status","status":"Failure"})",
        R"({"kind":"TokenReview","status":{"allowed":true}})", R"({"status":{"allowed":true}})",
        R"({"kind":"SubjectAccessReview"})", R"({"kind":"SubjectAccessReview","status":{}})",
        R"({"kind":"SubjectAccessReview","status":{"allowed":"true"}})",
        R"({"kind":"SubjectAccessReview","status":{"allowed":1}})",
        R"({"kind":"SubjectAccessReview","status":{"allowed":true})"})
    EXPECT_FALSE(read_access_review(wrong)) << wrong;
}

TEST(AccessReview, AReasonIsCutAndPlain) {
  const auto said = read({{"allowed", false}, {"reason", "a\nb" + std::string(100'000, 'x')}});
  EXPECT_EQ(said->reason.substr(0, 3), "a b");
  EXPECT_EQ(said->reason.size(), limits::rbac_reason_bytes);
}

TEST(AccessReview, WhatTokenReviewToldGoesBack) {
  const json answer{{"status",
                     {{"authenticated", true},
                      {"audiences", {"db"}},
                      {"user",
                       {{"username", app.principal},
                        {"uid", "u-1"},
                        {"groups", {"g"}},
                        {"extra", {{"example.org/team", {"a"}}}}}}}}};
  const auto who = read_token_review(answer.dump(), {"db"});
  ASSERT_TRUE(who);
  const auto& found = std::get<identity>(*who);
  EXPECT_EQ(found.uid, "u-1");
  const std::vector<identity::fact> wanted{{"example.org/team", {"a"}}};
  EXPECT_EQ(found.extra, wanted);
}

TEST(AccessReview, ATokenReviewWhoseExtraIsNoneIsNone) {
  for (const json& extra : {json("x"), json{{"a", "b"}}, json{{"a", {1}}}, json{{"", {"b"}}}}) {
    const json answer{{"status",
                       {{"authenticated", true},
                        {"audiences", {"db"}},
                        {"user", {{"username", app.principal}, {"extra", extra}}}}}};
    EXPECT_FALSE(read_token_review(answer.dump(), {"db"})) << extra;
  }
}

}  // namespace
}  // namespace trunkline::auth
