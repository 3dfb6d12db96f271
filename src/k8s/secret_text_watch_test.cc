// What becomes of what a Secret held.
#include "k8s/secret_text_watch.h"

#include <gtest/gtest.h>

#include "auth/base64.h"
#include "base/bytes.h"

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;

class SecretText : public testing::Test {
 protected:
  static json secret(const std::string& name, const std::string& key, const std::string& text) {
    return {{"metadata", {{"name", name}}}, {"data", {{key, auth::base64_encode(as_bytes(text))}}}};
  }

  telemetry::logger log{telemetry::log_format::text, telemetry::log_level::error};
  std::shared_ptr<std::atomic<bool>> changed = std::make_shared<std::atomic<bool>>(false);
  secret_text_watch watch{"prod",
                          "db-ca",
                          "ca.crt",
                          [](const std::string& text) -> result<> {
                            return text == "nonsense" ? result<>(fail({.message = "no"})) : result<>();
                          },
                          changed,
                          log};
};

TEST_F(SecretText, IsAskedForByItsName) {
  EXPECT_EQ(watch.where(),
            (collection{.path = "/api/v1/namespaces/prod/secrets", .fields = "metadata.name=db-ca"}));
}

TEST_F(SecretText, ChangesAreToldOnce) {
  EXPECT_EQ(watch.text(), "");
  watch.replace({secret("other", "ca.crt", "x"), secret("db-ca", "ca.crt", "one")});
  EXPECT_EQ(watch.text(), "one");
  EXPECT_TRUE(changed->exchange(false));
  watch.put(secret("db-ca", "ca.crt", "one"));
  EXPECT_FALSE(changed->load());
  watch.put(secret("db-ca", "ca.crt", "two"));
  EXPECT_TRUE(changed->load());
  EXPECT_EQ(watch.text(), "two");
}

TEST_F(SecretText, WhatIsGoneOrOfNoUseTakesNothingAway) {
  watch.put(secret("db-ca", "ca.crt", "one"));
  changed->store(false);
  watch.remove(secret("db-ca", "ca.crt", ""));
  watch.replace({});
  watch.put(secret("db-ca", "tls.crt", "two"));
  watch.put(secret("db-ca", "ca.crt", ""));
  watch.put(secret("db-ca", "ca.crt", "nonsense"));
  watch.put({{"metadata", {{"name", "db-ca"}}}, {"data", {{"ca.crt", "%%%"}}}});
  watch.put({{"metadata", {{"name", "db-ca"}}}, {"data", 5}});
  watch.put(secret("other", "ca.crt", "three"));
  watch.failed("status 403");
  EXPECT_EQ(watch.text(), "one");
  EXPECT_FALSE(changed->load());
}

TEST_F(SecretText, WhoWaitsIsToldOfTheFirstAnswerWhateverItIs) {
  const auto begin = std::chrono::steady_clock::now();
  watch.wait_until(begin + 20ms);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
  watch.failed("no");
  watch.wait_until(begin + 1h);
}

}  // namespace
}  // namespace trunkline::k8s
