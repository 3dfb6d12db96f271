#include "auth/scram_keys.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "auth/base64.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

// RFC 7677, section 3: password "pencil"; the keys follow from it.
constexpr std::string_view rfc_salt = "W22ZaJ0SNY7soEsUEjb6gQ==";
constexpr std::string_view rfc_verifier =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

TEST(ScramKeys, DerivesTheVerifierOfRfc7677) {
  const auto salt = base64_decode(rfc_salt).value();
  const verifier made = verifier_of(derive("pencil", salt, 4096), salt, 4096);
  EXPECT_EQ(format_verifier(made).reveal(), rfc_verifier);
}

TEST(ScramKeys, PasswordsArePrepared) {
  const auto salt = base64_decode(rfc_salt).value();
  EXPECT_EQ(derive("\u2168", salt, 2).client_key.reveal(), derive("IX", salt, 2).client_key.reveal());
  EXPECT_NE(derive("ix", salt, 2).client_key.reveal(), derive("IX", salt, 2).client_key.reveal());
}

TEST(ScramKeys, ParsesWhatItFormats) {
  const auto parsed = parse_verifier(rfc_verifier);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->iterations, 4096U);
  EXPECT_EQ(base64_encode(parsed->salt), rfc_salt);
  EXPECT_EQ(format_verifier(*parsed).reveal(), rfc_verifier);
}

TEST(ScramKeys, EveryTruncationAndEachExtraByteIsRefusedWithoutTellingTheSecret) {
  for (std::size_t size = 0; size < rfc_verifier.size(); ++size) {
    const auto parsed = parse_verifier(rfc_verifier.substr(0, size));
    ASSERT_FALSE(parsed) << size;
    EXPECT_EQ(parsed.error().code, sqlstates::invalid_authorization);
    EXPECT_EQ((parsed.error().message + parsed.error().hint).find("WG5d"), std::string::npos);
  }
  EXPECT_FALSE(parse_verifier(std::string(rfc_verifier) + "A"));
  EXPECT_FALSE(parse_verifier(std::string(rfc_verifier) + "\n"));
  const std::string longer_key = base64_encode(std::vector<std::byte>(33));
  EXPECT_FALSE(parse_verifier(std::string(rfc_verifier.substr(0, rfc_verifier.rfind(':') + 1)) + longer_key));
}

TEST(ScramKeys, RefusesNumbersAndSaltsOutOfRange) {
  const std::string keys(rfc_verifier.substr(rfc_verifier.find("$WG5d")));
  const auto with = [&](std::string_view count, std::string_view salt) {
    return parse_verifier("SCRAM-SHA-256$" + std::string(count) + ':' + std::string(salt) + keys);
  };
  EXPECT_TRUE(with("1", "AA=="));
  EXPECT_TRUE(with(std::to_string(limits::scram_iterations_max), "AA=="));
  for (const char* count : {"0", "-1", "+1", "", " 1", "1 ", "0x10", "4294967296", "1000001"}) {
    EXPECT_FALSE(with(count, "AA==")) << count;
  }
  EXPECT_FALSE(with("4096", ""));
  EXPECT_FALSE(with("4096", base64_encode(std::vector<std::byte>(limits::scram_salt_bytes_max + 1))));
  EXPECT_FALSE(parse_verifier("SCRAM-SHA-512" + std::string(rfc_verifier.substr(13))));
}

TEST(ScramKeys, FakeVerifiersAreStableAndLookLikeRealOnes) {
  const auto secret = as_bytes("of this process");
  const verifier fake = fake_verifier("nobody", secret);
  EXPECT_EQ(format_verifier(fake).reveal(), format_verifier(fake_verifier("nobody", secret)).reveal());
  EXPECT_EQ(fake.salt, stable_salt("nobody", secret));
  EXPECT_EQ(fake.salt.size(), 16U);
  EXPECT_EQ(fake.iterations, default_iterations);
  EXPECT_NE(fake.salt, fake_verifier("somebody", secret).salt);
  EXPECT_NE(fake.salt, fake_verifier("nobody", as_bytes("of another process")).salt);
  EXPECT_NE(fake.stored_key.reveal(), fake.server_key.reveal());
}

TEST(ScramKeys, ClientKeysSurviveTheirText) {
  const std::string salt = "0123456789abcdef";
  const client_keys keys = derive("secret", as_bytes(salt), 7);
  const auto salt_bytes = as_bytes(salt);
  const secret_text text =
      format_client_keys({.keys = keys, .salt = {salt_bytes.begin(), salt_bytes.end()}, .iterations = 7});
  ASSERT_TRUE(looks_like_client_keys(text.reveal()));
  const auto again = parse_client_keys(text.reveal());
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(again->are_for(salt_bytes, 7));
  EXPECT_FALSE(again->are_for(salt_bytes, 8));
  EXPECT_FALSE(again->are_for(as_bytes("0123456789abcdeF"), 7));
  EXPECT_EQ(again->keys.client_key.reveal(), keys.client_key.reveal());
  EXPECT_EQ(again->keys.server_key.reveal(), keys.server_key.reveal());
}

TEST(ScramKeys, ClientKeysAndVerifiersAreNotTakenForEachOther) {
  const std::string salt = "salt";
  const client_keys keys = derive("secret", as_bytes(salt), 1);
  const secret_text stored = format_verifier(verifier_of(keys, as_bytes(salt), 1));
  EXPECT_FALSE(looks_like_client_keys(stored.reveal()));
  const auto refused = parse_client_keys(stored.reveal());
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().message.find("invalid SCRAM keys: "), std::string::npos);
  for (const char* wrong :
       {"SCRAM-SHA-256-KEYS$", "SCRAM-SHA-256-KEYS$1:c2FsdA==$x:y", "SCRAM-SHA-256-KEYS$0:c2FsdA==$:"})
    EXPECT_FALSE(parse_client_keys(wrong).has_value()) << wrong;
  EXPECT_FALSE(parse_verifier("SCRAM-SHA-256-KEYS$1:c2FsdA==$x:y").has_value());
}

RC_GTEST_PROP(ScramKeys, AnyVerifierSurvivesItsText, (std::string password, std::string salt_text)) {
  const std::string salt = salt_text + "s";
  const auto iterations = *rc::gen::inRange<std::uint32_t>(1, 20);
  const verifier made = verifier_of(derive(password, as_bytes(salt), iterations), as_bytes(salt), iterations);
  const secret_text text = format_verifier(made);
  const auto again = parse_verifier(text.reveal());
  RC_ASSERT(again.has_value());
  RC_ASSERT(format_verifier(*again).reveal() == text.reveal());
}

}  // namespace
}  // namespace trunkline::auth
