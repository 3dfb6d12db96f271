#include "session/secret_overlap.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "pool/server_login.h"

namespace trunkline::session {
namespace {

using namespace std::chrono_literals;

constexpr runtime::time_point noon{std::chrono::hours(12)};

config::settings with(std::vector<std::pair<std::string, std::string>> users, std::string route = "app") {
  config::settings made;
  config::route& one = made.routes.emplace_back();
  one.name = std::move(route);
  one.login.emplace();
  one.login->usual = {.user = users[0].first, .password = secret_text(users[0].second)};
  for (std::size_t i = 1; i < users.size(); ++i)
    one.login->principals.push_back(
        {{"*"}, {.user = users[i].first, .password = secret_text(users[i].second)}});
  return made;
}

TEST(SecretOverlap, WhatHasChangedIsKept) {
  const auto older = with({{"app", "one"}, {"dba", "same"}});
  const auto newer = with({{"app", "two"}, {"dba", "same"}});
  const auto made = replaced_secrets(older, {}, newer, noon);
  ASSERT_EQ(made.size(), 1u);
  const auto before = find_secret(made, "app", "app");
  EXPECT_EQ(before->password.reveal(), "one");
  EXPECT_EQ(before->until, noon + limits::secret_overlap);
}

TEST(SecretOverlap, ItGoesOnWhereNothingChanges) {
  const auto older = with({{"app", "one"}});
  const auto newer = with({{"app", "two"}});
  const auto first = replaced_secrets(older, {}, newer, noon);
  const auto second = replaced_secrets(newer, first, newer, noon + 1h);
  EXPECT_EQ(find_secret(second, "app", "app"), find_secret(first, "app", "app"));
}

TEST(SecretOverlap, ASecondChangeForgetsTheFirst) {
  const auto first = replaced_secrets(with({{"app", "one"}}), {}, with({{"app", "two"}}), noon);
  const auto made = replaced_secrets(with({{"app", "two"}}), first, with({{"app", "three"}}), noon);
  EXPECT_EQ(find_secret(made, "app", "app")->password.reveal(), "two");
}

TEST(SecretOverlap, AnotherRouteOrUserIsSomebodyElse) {
  const auto older = with({{"app", "one"}});
  EXPECT_TRUE(replaced_secrets(older, {}, with({{"app", "two"}}, "other"), noon).empty());
  EXPECT_TRUE(replaced_secrets(older, {}, with({{"somebody", "two"}}), noon).empty());
  EXPECT_TRUE(replaced_secrets(with({{"app", ""}}), {}, with({{"app", "two"}}), noon).empty());
}

pool::login_failure refusal(sqlstate code) {
  return {pool::login_failure::kind::refused, {.code = code, .message = "no"}};
}

TEST(SecretOverlap, ARefusedPasswordFallsBackOnce) {
  pool::server_secret secret{.user = "app", .password = secret_text("two")};
  EXPECT_FALSE(pool::fall_back(secret, refusal(sqlstates::invalid_password), noon));
  secret.before = std::make_shared<pool::secret_before>(secret_text("one"), noon + 1s);
  EXPECT_FALSE(pool::fall_back(secret, refusal(sqlstates::invalid_authorization), noon));
  EXPECT_FALSE(pool::fall_back(secret, {pool::login_failure::kind::ended, {}}, noon));
  EXPECT_FALSE(pool::fall_back(secret, refusal(sqlstates::invalid_password), noon + 1s)) << "it is too old";
  EXPECT_EQ(secret.password.reveal(), "two");
  EXPECT_TRUE(pool::fall_back(secret, refusal(sqlstates::invalid_password), noon));
  EXPECT_EQ(secret.password.reveal(), "one");
  EXPECT_TRUE(secret.is_before);
  EXPECT_FALSE(pool::fall_back(secret, refusal(sqlstates::invalid_password), noon));
}

}  // namespace
}  // namespace trunkline::session
