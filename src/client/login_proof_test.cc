#include "client/login_proof.h"

#include <gmock/gmock.h>

#include "protocol/authentication.h"

namespace trunkline::client {
namespace {

using testing::HasSubstr;

conninfo with_password(std::string password) {
  conninfo made;
  made.user = "app";
  made.password = secret_text(std::move(password));
  return made;
}

/// The body of an 'R' message with this code.
std::vector<std::byte> body_of(std::uint32_t code, std::string_view rest = {}) {
  std::vector<std::byte> made(4);
  store_u32(made.data(), code);
  const auto more = as_bytes(rest);
  made.insert(made.end(), more.begin(), more.end());
  return made;
}

TEST(login_proof, trust_needs_no_answer) {
  const conninfo dsn = with_password("");
  login_proof proof(dsn, {}, {});
  const auto step = proof.take(body_of(0));
  ASSERT_TRUE(step.has_value());
  EXPECT_EQ(*step, login_step::accepted);
  EXPECT_TRUE(proof.take_answer().empty());
  EXPECT_EQ(proof.method(), "none");
}

TEST(login_proof, a_password_in_clear_text_needs_tls) {
  const conninfo dsn = with_password("secret");
  login_proof plain(dsn, {}, {});
  const auto refused = plain.take(body_of(3));
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("clear text"));
  login_proof secured(dsn, {.tls = true}, {});
  EXPECT_TRUE(secured.take(body_of(3)).has_value());
  EXPECT_THAT(std::string(as_text(secured.take_answer())), HasSubstr("secret"));
}

TEST(login_proof, md5_sends_no_password) {
  const conninfo dsn = with_password("secret");
  login_proof proof(dsn, {}, {});
  ASSERT_TRUE(proof.take(body_of(5, "salt")).has_value());
  const auto answer = proof.take_answer();
  EXPECT_THAT(std::string(as_text(answer)), HasSubstr("md5"));
  EXPECT_EQ(std::string(as_text(answer)).find("secret"), std::string::npos);
}

TEST(login_proof, without_a_password_there_is_no_proof) {
  const conninfo dsn = with_password("");
  for (const auto& body :
       {body_of(3), body_of(5, "salt"), body_of(10, std::string_view("SCRAM-SHA-256\0\0", 15))}) {
    login_proof proof(dsn, {.tls = true}, {});
    const auto step = proof.take(body);
    ASSERT_FALSE(step.has_value());
    EXPECT_THAT(step.error().message, HasSubstr("there is none"));
  }
}

TEST(login_proof, scram_asks_for_keys_and_for_the_servers_proof) {
  const conninfo dsn = with_password("secret");
  login_proof proof(dsn, {}, {});
  ASSERT_TRUE(proof.take(body_of(10, std::string_view("SCRAM-SHA-256\0\0", 15))).has_value());
  const auto first = std::string(as_text(proof.take_answer()));
  const auto nonce = first.substr(first.find("r=") + 2);
  const auto step = proof.take(body_of(11, "r=" + nonce + "server,s=c2FsdHNhbHQ=,i=4096"));
  ASSERT_TRUE(step.has_value());
  ASSERT_EQ(*step, login_step::wants_keys);
  EXPECT_EQ(proof.wanted().iterations, 4096u);
  ASSERT_TRUE(proof.provide(auth::derive("secret", proof.wanted().salt, 4096)).has_value());
  EXPECT_THAT(std::string(as_text(proof.take_answer())), HasSubstr("p="));
  // Whoever says yes without a proof does not know the password.
  EXPECT_FALSE(proof.take(body_of(0)).has_value());
}

TEST(login_proof, what_is_malformed_or_unknown_ends_it) {
  const conninfo dsn = with_password("secret");
  login_proof proof(dsn, {}, {});
  EXPECT_FALSE(proof.take({}).has_value());
  EXPECT_FALSE(proof.take(body_of(7)).has_value());
  EXPECT_FALSE(proof.take(body_of(11, "r=x")).has_value());
}

}  // namespace
}  // namespace trunkline::client
