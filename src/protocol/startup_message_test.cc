#include "protocol/startup_message.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "protocol/first_packet.h"
#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;

byte_buffer packet_of(std::uint32_t version, std::string_view rest) {
  return big_endian(static_cast<std::uint32_t>(8 + rest.size())) + big_endian(version) + bytes_of(rest);
}

byte_buffer packet_of(std::vector<startup_parameter> parameters) {
  return built([&](byte_buffer& out) { append_startup_message(out, {3, 0}, parameters); });
}

error refused(const byte_buffer& packet) {
  const auto decoded = decode_startup_message(packet);
  EXPECT_FALSE(decoded.has_value());
  return decoded ? error{} : decoded.error();
}

TEST(StartupMessage, KeepsParametersInOrder) {
  const byte_buffer packet = packet_of({{"user", "alice"},
                                        {"application_name", "psql"},
                                        {"_pq_.command_tag_format", "modern"},
                                        {"database", "app"},
                                        {"options", ""}});
  const auto message = decode_startup_message(packet);
  ASSERT_TRUE(message);
  ASSERT_EQ(message->parameters.size(), 5u);
  EXPECT_EQ(message->parameters[1], (startup_parameter{"application_name", "psql"}));
  EXPECT_EQ(message->find("options"), "");
  EXPECT_EQ(message->find("absent"), std::nullopt);
  EXPECT_EQ(message->user, "alice");
  EXPECT_EQ(message->database, "app");
  EXPECT_EQ(message->version, (protocol_version{3, 0}));
  ASSERT_EQ(message->protocol_options.size(), 1u);
  EXPECT_EQ(message->protocol_options[0].value, "modern");
}

TEST(StartupMessage, DatabaseDefaultsToTheUser) {
  EXPECT_EQ(decode_startup_message(packet_of({{"user", "alice"}}))->database, "alice");
  const byte_buffer empty = packet_of({{"user", "alice"}, {"database", ""}});
  EXPECT_EQ(decode_startup_message(empty)->database, "alice");
}

TEST(StartupMessage, TheLastOfTwoWins) {
  const byte_buffer packet = packet_of({{"user", "alice"}, {"user", "bob"}});
  EXPECT_EQ(decode_startup_message(packet)->user, "bob");
}

TEST(StartupMessage, ReplicationModes) {
  const auto mode = [](std::string_view value) {
    const byte_buffer packet = packet_of({{"user", "a"}, {"replication", value}});
    return decode_startup_message(packet)->replication;
  };
  EXPECT_EQ(decode_startup_message(packet_of({{"user", "a"}}))->replication, replication_mode::off);
  EXPECT_EQ(mode("database"), replication_mode::database);
  for (const char* value : {"true", "T", "on", "yes", "1", "tru"}) {
    EXPECT_EQ(mode(value), replication_mode::physical) << value;
  }
  for (const char* value : {"false", "OFF", "of", "no", "0", "f"}) {
    EXPECT_EQ(mode(value), replication_mode::off) << value;
  }
  for (const char* value : {"", "o", "databas", "2", "truest"}) {
    const byte_buffer packet = packet_of({{"user", "a"}, {"replication", value}});
    EXPECT_EQ(refused(packet).code, sqlstate{"22023"}) << value;
  }
}

TEST(StartupMessage, PhysicalReplicationHasNoDatabase) {
  const byte_buffer packet = packet_of({{"user", "a"}, {"replication", "1"}});
  EXPECT_EQ(decode_startup_message(packet)->database, "");
}

TEST(StartupMessage, WithoutUserIsAnAuthorizationError) {
  for (const auto& packet : {packet_of({{"database", "app"}}), packet_of({{"user", ""}}), packet_of({})}) {
    EXPECT_EQ(refused(packet).code, sqlstates::invalid_authorization);
    EXPECT_EQ(refused(packet).message, "no PostgreSQL user name specified in startup packet");
  }
}

TEST(StartupMessage, MalformedLayouts) {
  using namespace std::string_view_literals;
  for (const std::string_view rest : {""sv, "user\0alice\0"sv, "user\0alice"sv, "user\0"sv, "user"sv,
                                      "user\0alice\0\0x"sv, "user\0alice\0\0\0"sv, "\0user\0alice\0\0"sv}) {
    EXPECT_EQ(refused(packet_of(0x0003'0000, rest)).code, sqlstates::protocol_violation) << rest;
  }
}

TEST(StartupMessage, LyingLengthsAndOtherVersions) {
  byte_buffer packet = packet_of({{"user", "alice"}});
  EXPECT_EQ(refused(packet + byte_buffer(1)).code, sqlstates::protocol_violation);
  store_u32(packet.data() + 4, 0x0004'0000);
  EXPECT_EQ(refused(packet).code, sqlstates::feature_not_supported);
}

TEST(StartupMessage, TruncationAtEveryByteIsAnError) {
  const byte_buffer packet = packet_of({{"user", "alice"}, {"database", "app"}});
  EXPECT_EQ(accepted_truncations(packet, decode_startup_message), 0u);
  // The same with a length word that agrees with the cut.
  for (std::size_t size = 8; size < packet.size(); ++size) {
    byte_buffer cut = exact(byte_span{packet}.first(size));
    store_u32(cut.data(), static_cast<std::uint32_t>(size));
    EXPECT_FALSE(decode_startup_message(cut)) << size;
  }
}

TEST(StartupMessage, EncoderWritesNoFieldThatAValueSmuggles) {
  using namespace std::string_view_literals;
  const byte_buffer packet = packet_of({{"user", "alice\0database\0other"sv}, {"", "x"}});
  const auto message = decode_startup_message(packet);
  ASSERT_TRUE(message);
  ASSERT_EQ(message->parameters.size(), 1u);
  EXPECT_EQ(message->user, "alice");
}

TEST(StartupMessage, SmallPackets) {
  EXPECT_EQ(built(append_ssl_request), big_endian(8) + big_endian(80'877'103));
  EXPECT_EQ(built(append_gssenc_request), big_endian(8) + big_endian(80'877'104));
  const byte_buffer key = bytes_of("keys");
  EXPECT_EQ(built([&](byte_buffer& out) { append_cancel_request(out, 5, key); }),
            big_endian(16) + big_endian(80'877'102) + big_endian(5) + key);
}

RC_GTEST_PROP(StartupMessage, ComesBackAsItWasWritten, ()) {
  using text_pairs = std::vector<std::pair<std::string, std::string>>;
  const auto text = rc::gen::container<std::string>(rc::gen::inRange('!', '~'));
  const auto pairs =
      *rc::gen::resize(20, rc::gen::container<text_pairs>(rc::gen::pair(rc::gen::nonEmpty(text), text)));
  std::vector<startup_parameter> parameters;
  for (const auto& [name, value] : pairs) {
    if (name != "replication") parameters.push_back({name, value});
  }
  parameters.push_back({"user", "u"});
  const auto minor = *rc::gen::arbitrary<std::uint16_t>();
  const byte_buffer packet =
      built([&](byte_buffer& out) { append_startup_message(out, {3, minor}, parameters); });
  const auto message = decode_startup_message(packet);
  RC_ASSERT(message.has_value());
  RC_ASSERT(message->parameters == parameters);
  RC_ASSERT(message->version.minor == minor);
}

}  // namespace
}  // namespace trunkline::protocol
