#include "protocol/frame.h"

#include <gtest/gtest.h>

#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;

TEST(Frame, AsksForTheRestAtEverySplit) {
  const byte_buffer message = message_of('R', "body");
  for (std::size_t size = 0; size < message.size(); ++size) {
    const byte_buffer part = exact(byte_span{message}.first(size));
    const auto result = next_frame(part, 100);
    ASSERT_TRUE(std::holds_alternative<need_more>(result)) << size;
    const std::size_t asked = std::get<need_more>(result).bytes;
    EXPECT_EQ(asked, size < 5 ? 5 - size : message.size() - size);
  }
}

TEST(Frame, YieldsOneMessageAndLeavesTheNext) {
  const byte_buffer stream = message_of('S', "one") + message_of('Z', "I");
  const auto first = std::get<frame>(next_frame(stream, 100));
  EXPECT_EQ(first.type, 'S');
  EXPECT_EQ(as_text(first.body), "one");
  EXPECT_EQ(first.size, 8u);
  const auto second = std::get<frame>(next_frame(byte_span{stream}.subspan(first.size), 100));
  EXPECT_EQ(second.type, 'Z');
}

TEST(Frame, EmptyBody) {
  const byte_buffer message = message_of('S', "");
  EXPECT_TRUE(std::get<frame>(next_frame(message, 4)).body.empty());
}

TEST(Frame, RefusesLengthsOutsideTheLimits) {
  const auto verdict = [](std::uint32_t length) {
    return next_frame(bytes_of("Q") + big_endian(length), 100);
  };
  for (const std::uint32_t length : {0u, 3u, 101u, 0x8000'0000u, 0xffff'ffffu}) {
    EXPECT_TRUE(std::holds_alternative<bad>(verdict(length))) << length;
  }
  for (const std::uint32_t length : {5u, 100u}) {
    EXPECT_TRUE(std::holds_alternative<need_more>(verdict(length))) << length;
  }
}

TEST(Frame, BlamesTheSender) {
  const auto result = next_frame(bytes_of("\x01") + big_endian(3), 100, error_source::server);
  const error& why = std::get<bad>(result).why;
  EXPECT_EQ(why.source, error_source::server);
  EXPECT_EQ(why.code, sqlstates::protocol_violation);
  EXPECT_EQ(why.message, "invalid length 3 of message 0x01: expected 4 to 100");
}

}  // namespace
}  // namespace trunkline::protocol
