#include "protocol/authentication.h"

#include <gtest/gtest.h>

#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;
using namespace std::string_view_literals;

byte_buffer sasl_message(std::vector<std::string_view> mechanisms) {
  return built([&](byte_buffer& out) { append_authentication_sasl(out, mechanisms); });
}

template <class Message>
Message decoded(const byte_buffer& message) {
  EXPECT_EQ(message[0], std::byte{'R'});
  auto result = decode_authentication(body_of(message));
  EXPECT_TRUE(result && std::holds_alternative<Message>(*result));
  return std::get<Message>(std::move(*result));
}

TEST(Authentication, ComesBackAsItWasWritten) {
  decoded<authentication_ok>(built(append_authentication_ok));
  decoded<authentication_cleartext_password>(built(append_authentication_cleartext_password));
  const std::array salt{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  const byte_buffer md5 = built([&](byte_buffer& out) { append_authentication_md5_password(out, salt); });
  EXPECT_EQ(decoded<authentication_md5_password>(md5).salt, salt);
  const byte_buffer more =
      built([](byte_buffer& out) { append_authentication_sasl_continue(out, as_bytes("r=x")); });
  EXPECT_EQ(as_text(decoded<authentication_sasl_continue>(more).data), "r=x");
  const byte_buffer last =
      built([](byte_buffer& out) { append_authentication_sasl_final(out, as_bytes("v=y")); });
  EXPECT_EQ(as_text(decoded<authentication_sasl_final>(last).data), "v=y");
  const std::vector<std::string_view> mechanisms{scram_sha_256_plus, scram_sha_256};
  EXPECT_EQ(decoded<authentication_sasl>(sasl_message(mechanisms)).mechanisms, mechanisms);
}

TEST(Authentication, OtherMethodsAreRecognisedByNumber) {
  for (const std::uint32_t code : {2u, 7u, 8u, 9u, 99u}) {
    const byte_buffer body = big_endian(code) + bytes_of("data");
    const auto message = decode_authentication(body);
    ASSERT_TRUE(message && std::holds_alternative<authentication_other>(*message)) << code;
    EXPECT_EQ(static_cast<std::uint32_t>(std::get<authentication_other>(*message).code), code);
    EXPECT_EQ(as_text(std::get<authentication_other>(*message).data), "data");
  }
}

TEST(Authentication, TruncationAndTrailingBytesAreErrors) {
  const std::array<std::byte, 4> salt{};
  for (const byte_buffer& message :
       {built(append_authentication_ok), built(append_authentication_cleartext_password),
        built([&](byte_buffer& out) { append_authentication_md5_password(out, salt); }),
        sasl_message({"A", "BC"})}) {
    EXPECT_EQ(accepted_truncations(body_of(message), decode_authentication), 0u);
    const auto longer = decode_authentication(exact(body_of(message)) + byte_buffer(1));
    ASSERT_FALSE(longer);
    EXPECT_EQ(longer.error().source, error_source::server);
  }
}

TEST(Authentication, StripChannelBindingKeepsTheOrderOfTheRest) {
  const byte_buffer offered = sasl_message({scram_sha_256_plus, scram_sha_256, oauthbearer});
  EXPECT_EQ(strip_channel_binding(body_of(offered)), sasl_message({scram_sha_256, oauthbearer}));
  const byte_buffer plain = sasl_message({scram_sha_256});
  EXPECT_EQ(strip_channel_binding(body_of(plain)), plain);
}

TEST(Authentication, StripChannelBindingFailsWhereNothingIsLeft) {
  const byte_buffer offered = sasl_message({scram_sha_256_plus});
  const auto stripped = strip_channel_binding(body_of(offered));
  ASSERT_FALSE(stripped);
  EXPECT_FALSE(stripped.error().hint.empty());
  EXPECT_FALSE(strip_channel_binding(body_of(built(append_authentication_ok))));
}

TEST(PasswordMessages, ComeBackAsTheyWereWritten) {
  const byte_buffer password = built([](byte_buffer& out) { append_password_message(out, "s3cret"); });
  EXPECT_EQ(decode_password_message(body_of(password)), "s3cret");
  EXPECT_EQ(accepted_truncations(body_of(password), decode_password_message), 0u);

  const byte_buffer initial = built(
      [](byte_buffer& out) { append_sasl_initial_response(out, scram_sha_256, as_bytes("n,,n=,r=x")); });
  const auto response = decode_sasl_initial_response(body_of(initial));
  ASSERT_TRUE(response && response->data);
  EXPECT_EQ(response->mechanism, scram_sha_256);
  EXPECT_EQ(as_text(*response->data), "n,,n=,r=x");
  EXPECT_EQ(accepted_truncations(body_of(initial), decode_sasl_initial_response), 0u);

  const byte_buffer bare =
      built([](byte_buffer& out) { append_sasl_initial_response(out, oauthbearer, std::nullopt); });
  EXPECT_FALSE(decode_sasl_initial_response(body_of(bare))->data);

  const byte_buffer next = built([](byte_buffer& out) { append_sasl_response(out, as_bytes("c=biws")); });
  EXPECT_EQ(as_text(decode_sasl_response(body_of(next))), "c=biws");
}

TEST(PasswordMessages, LyingLengthsAreErrors) {
  EXPECT_FALSE(decode_sasl_initial_response(bytes_of("M\0"sv) + big_endian(5) + bytes_of("1234")));
  EXPECT_FALSE(decode_sasl_initial_response(bytes_of("M\0"sv) + big_endian(3) + bytes_of("1234")));
  EXPECT_FALSE(decode_sasl_initial_response(bytes_of("M\0"sv) + big_endian(0xffff'fffe)));
  EXPECT_FALSE(decode_sasl_initial_response(bytes_of("\0"sv) + big_endian(0)));
  EXPECT_FALSE(decode_password_message(bytes_of("a\0b\0"sv)));
}

}  // namespace
}  // namespace trunkline::protocol
