#include "protocol/first_packet.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "protocol/startup_message.h"
#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;

enum class kind { more, tls, ssl, gssenc, cancel, startup, other, bad_08P01, bad_0A000 };

kind kind_of(const first_packet_result& result) {
  if (const auto* wrong = std::get_if<bad>(&result)) {
    EXPECT_EQ(wrong->why.source, error_source::client);
    return wrong->why.code == sqlstates::protocol_violation ? kind::bad_08P01 : kind::bad_0A000;
  }
  return static_cast<kind>(result.index());
}

kind classify(byte_span bytes) {
  return kind_of(classify_first_packet(exact(bytes)));
}
kind classify(std::string_view text) {
  return classify(as_bytes(text));
}

byte_buffer startup() {
  const startup_parameter parameters[] = {{"user", "alice"}, {"database", "app"}};
  return built([&](byte_buffer& out) { append_startup_message(out, {3, 2}, parameters); });
}
byte_buffer cancel(std::size_t key_bytes) {
  return built(
      [&](byte_buffer& out) { append_cancel_request(out, 77, byte_buffer(key_bytes, std::byte{9})); });
}

TEST(FirstPacket, RecognisesEachKind) {
  EXPECT_EQ(classify("\x16\x03\x01"), kind::tls);
  EXPECT_EQ(classify(built(append_ssl_request)), kind::ssl);
  EXPECT_EQ(classify(built(append_gssenc_request)), kind::gssenc);
  EXPECT_EQ(classify(cancel(4)), kind::cancel);
  EXPECT_EQ(classify(cancel(256)), kind::cancel);
  EXPECT_EQ(classify(startup()), kind::startup);
}

TEST(FirstPacket, AnyMinorVersionIsStartup) {
  const byte_buffer body(1, std::byte{0});
  EXPECT_EQ(classify(big_endian(9) + big_endian(0x0003'0000) + body), kind::startup);
  EXPECT_EQ(classify(big_endian(9) + big_endian(0x0003'270f) + body), kind::startup);
}

TEST(FirstPacket, ForeignProtocolsAreToldByTheirFirstByte) {
  for (const std::string_view text : {"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0", "SSH-2.0-x", "\r\n\r\n",
                                      "PROXY TCP4", "\x80\x2e\x01", "\x05\x01", "\xff", "\x16\x02"}) {
    EXPECT_EQ(classify(text), kind::other) << text;
  }
  EXPECT_EQ(classify("G"), kind::other);
}

TEST(FirstPacket, ImpossibleLengthsAreToldAsSoonAsTheyShow) {
  EXPECT_EQ(classify(std::string_view{"\0\x01", 2}), kind::bad_08P01);    // 64 KiB or more
  EXPECT_EQ(classify(std::string_view{"\0\0\x28", 3}), kind::bad_08P01);  // 10,240 or more
  EXPECT_EQ(classify(big_endian(10'005)), kind::bad_08P01);
  EXPECT_EQ(classify(big_endian(10'004)), kind::more);
  EXPECT_EQ(classify(big_endian(0)), kind::bad_08P01);
  EXPECT_EQ(classify(big_endian(7)), kind::bad_08P01);
  EXPECT_EQ(classify(big_endian(8)), kind::more);
}

TEST(FirstPacket, CodesWithAWrongLengthAreBad) {
  EXPECT_EQ(classify(big_endian(9) + big_endian(ssl_request_code)), kind::bad_08P01);
  EXPECT_EQ(classify(big_endian(12) + big_endian(gssenc_request_code)), kind::bad_08P01);
  EXPECT_EQ(classify(cancel(3)), kind::bad_08P01);
  EXPECT_EQ(classify(cancel(257)), kind::bad_08P01);
  EXPECT_EQ(classify(big_endian(8) + big_endian(cancel_request_code)), kind::bad_08P01);
}

TEST(FirstPacket, OtherMajorVersionsAreRefusedAsPostgresRefusesThem) {
  const auto result = classify_first_packet(big_endian(100) + big_endian(0x0002'0000));
  ASSERT_TRUE(std::holds_alternative<bad>(result));
  EXPECT_EQ(std::get<bad>(result).why.code, sqlstates::feature_not_supported);
  EXPECT_EQ(std::get<bad>(result).why.message,
            "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
  EXPECT_EQ(classify(big_endian(100) + big_endian(1234u << 16 | 1)), kind::bad_0A000);
}

TEST(FirstPacket, CancelYieldsPidAndKey) {
  const byte_buffer packet = cancel(32) + bytes_of("behind");
  const auto result = classify_first_packet(packet);
  const auto& request = std::get<cancel_request>(result);
  EXPECT_EQ(request.pid, 77u);
  EXPECT_EQ(exact(request.key), byte_buffer(32, std::byte{9}));
  EXPECT_EQ(request.consumed, packet.size() - 6);
}

TEST(FirstPacket, StartupYieldsThePacketWithoutWhatFollows) {
  const auto result = classify_first_packet(startup() + bytes_of("behind"));
  EXPECT_EQ(std::get<startup_message_packet>(result).consumed, startup().size());
}

TEST(FirstPacket, TheLongestPacketFits) {
  const byte_buffer packet = big_endian(10'004) + big_endian(0x0003'0000) + byte_buffer(9'996);
  ASSERT_EQ(packet.size(), first_packet_bytes_max);
  EXPECT_EQ(classify(packet), kind::startup);
  EXPECT_EQ(classify(byte_span{packet}.first(10'003)), kind::more);
}

std::size_t consumed_by(const first_packet_result& result) {
  return std::visit(
      [](const auto& packet) -> std::size_t {
        if constexpr (requires { packet.consumed; }) {
          return packet.consumed;
        } else {
          return 0;
        }
      },
      result);
}

/// What a client may send before its first message, as one stream: read back packet by packet, fed only as
/// many bytes as were asked for. The reference is the list that built the stream.
RC_GTEST_PROP(FirstPacket, NegotiationsAreReadBackInAnyCut, ()) {
  std::vector<kind> expected;
  byte_buffer stream;
  for (int round = *rc::gen::inRange(0, 3); round > 0; --round) {
    const bool ssl = *rc::gen::arbitrary<bool>();
    expected.push_back(ssl ? kind::ssl : kind::gssenc);
    stream = stream + built(ssl ? append_ssl_request : append_gssenc_request);
  }
  const int last = *rc::gen::inRange(0, 3);
  if (last == 0) stream = stream + startup();
  if (last == 1) stream = stream + cancel(*rc::gen::inRange<std::size_t>(4, 257));
  if (last == 2) stream = stream + bytes_of("\x16\x03");
  expected.push_back(last == 0 ? kind::startup : last == 1 ? kind::cancel : kind::tls);

  std::vector<kind> seen;
  byte_span rest{stream};
  std::size_t fed = *rc::gen::inRange<std::size_t>(0, 3);
  while (seen.size() < expected.size()) {
    RC_ASSERT(fed <= rest.size());
    const byte_buffer given = exact(rest.first(fed));
    const auto result = classify_first_packet(given);
    if (const auto* more = std::get_if<need_more>(&result)) {
      RC_ASSERT(more->bytes > 0u);
      fed += more->bytes;
      continue;
    }
    seen.push_back(kind_of(result));
    rest = rest.subspan(consumed_by(result));
    fed -= consumed_by(result);
  }
  RC_ASSERT(seen == expected);
  RC_ASSERT(last == 2 || rest.empty());
}

/// The table of the protocol, written without regard to incomplete input.
kind reference(const byte_buffer& bytes) {
  const auto first = static_cast<unsigned>(bytes[0]);
  if (first == 0x16) return bytes[1] == std::byte{3} ? kind::tls : kind::other;
  if (first != 0) return kind::other;
  const std::uint32_t length = load_u32(bytes.data());
  const std::uint32_t code = load_u32(bytes.data() + 4);
  if (length < 8 || length > 10'004) return kind::bad_08P01;
  if (code == 80'877'103) return length == 8 ? kind::ssl : kind::bad_08P01;
  if (code == 80'877'104) return length == 8 ? kind::gssenc : kind::bad_08P01;
  if (code == 80'877'102) return length >= 16 && length <= 268 ? kind::cancel : kind::bad_08P01;
  return code >> 16 == 3 ? kind::startup : kind::bad_0A000;
}

RC_GTEST_PROP(FirstPacket, AgreesWithTheTableAndNeverChangesItsMind, ()) {
  const auto length =
      *rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(0, 300), rc::gen::inRange<std::uint32_t>(9'990, 10'020),
                      rc::gen::arbitrary<std::uint32_t>());
  const auto code =
      *rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(80'877'100, 80'877'107),
                      rc::gen::element<std::uint32_t>(0x0003'0000, 0x0003'0002, 0x0003'270f, 0x0002'0000),
                      rc::gen::arbitrary<std::uint32_t>());
  const byte_buffer bytes = big_endian(length) + big_endian(code) + byte_buffer(10'020);
  const kind whole = classify(bytes);
  RC_ASSERT(whole == reference(bytes));
  bool decided = false;
  for (std::size_t size = 0; size <= 300; ++size) {
    const kind part = classify(byte_span{bytes}.first(size));
    RC_ASSERT(part == whole || (part == kind::more && !decided));
    decided = decided || part != kind::more;
  }
}

}  // namespace
}  // namespace trunkline::protocol
