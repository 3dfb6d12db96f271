#include "protocol/header_walker.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "protocol/test_support.h"

namespace trunkline::protocol {
namespace {

using namespace test;

struct seen_message {
  char type = 0;
  std::uint32_t length = 0;
  std::string body;  ///< what was wanted of it
  bool ended = false;
  bool operator==(const seen_message&) const = default;
};

/// Wants `wanted(type)` body bytes and writes down everything it is told.
struct recorder {
  std::vector<seen_message> messages;
  int pieces = 0;

  static std::uint32_t wanted(char type) { return type == 'Z' ? 1 : type == 'E' ? 6 : 0; }

  std::uint32_t on_header(char type, std::uint32_t length) {
    messages.push_back({type, length, {}, false});
    return wanted(type);
  }
  void on_body(char type, byte_span piece, bool last) {
    ++pieces;
    EXPECT_EQ(messages.back().type, type);
    EXPECT_FALSE(messages.back().ended);
    EXPECT_FALSE(piece.empty());
    messages.back().body += as_text(piece);
    messages.back().ended = last;
  }
};

byte_buffer sample() {
  return message_of('D', 11) + message_of('Z', "I") + message_of('S', 0) + message_of('E', "0123456789") +
         message_of('E', "012") + message_of('E', 0) + message_of('C', 3);
}

TEST(HeaderWalker, SeesEveryMessageOfAWholeStream) {
  header_walker walker;
  recorder seen;
  ASSERT_EQ(walker.walk(sample(), seen), walk_result::ok);
  const std::vector<seen_message> expected{
      {'D', 15, "", false},  {'Z', 5, "I", true}, {'S', 4, "", false}, {'E', 14, "012345", true},
      {'E', 7, "012", true}, {'E', 4, "", false}, {'C', 7, "", false}};
  EXPECT_EQ(seen.messages, expected);
  EXPECT_EQ(seen.pieces, 3);
  EXPECT_TRUE(walker.at_boundary());
}

TEST(HeaderWalker, TwoChunksAtEverySplitEqualOne) {
  const byte_buffer stream = sample();
  recorder whole;
  header_walker reference;
  ASSERT_EQ(reference.walk(stream, whole), walk_result::ok);
  for (std::size_t split = 0; split <= stream.size(); ++split) {
    header_walker walker;
    recorder seen;
    ASSERT_EQ(walker.walk(exact(byte_span{stream}.first(split)), seen), walk_result::ok);
    ASSERT_EQ(walker.walk(exact(byte_span{stream}.subspan(split)), seen), walk_result::ok);
    EXPECT_EQ(seen.messages, whole.messages) << split;
    EXPECT_TRUE(walker.at_boundary());
  }
}

TEST(HeaderWalker, KnowsBoundariesByteForByte) {
  const byte_buffer stream = message_of('D', 2) + message_of('S', 0);
  const std::vector<bool> expected{false, false, false, false, false, false,
                                   true,  false, false, false, false, true};
  header_walker walker;
  recorder seen;
  EXPECT_TRUE(walker.at_boundary());
  for (std::size_t i = 0; i < stream.size(); ++i) {
    ASSERT_EQ(walker.walk(byte_span{stream}.subspan(i, 1), seen), walk_result::ok);
    ASSERT_EQ(walker.walk({}, seen), walk_result::ok) << "an empty chunk changes nothing";
    EXPECT_EQ(walker.at_boundary(), expected[i]) << i;
  }
}

TEST(HeaderWalker, RefusesIllegalLengthsInAnyCutAndStaysBad) {
  for (const std::uint32_t length : {0u, 3u, limits::message_length_max + 1, 0x7fff'ffffu, 0xffff'ffffu}) {
    const byte_buffer stream = message_of('D', 2) + bytes_of("D") + big_endian(length);
    for (std::size_t split = 0; split < stream.size(); ++split) {
      header_walker walker;
      recorder seen;
      ASSERT_EQ(walker.walk(exact(byte_span{stream}.first(split)), seen), walk_result::ok);
      EXPECT_EQ(walker.walk(exact(byte_span{stream}.subspan(split)), seen), walk_result::bad);
      EXPECT_EQ(seen.messages.size(), 1u);
      EXPECT_TRUE(walker.is_bad());
      EXPECT_FALSE(walker.at_boundary());
      EXPECT_EQ(walker.walk(message_of('S', 0), seen), walk_result::bad);
    }
  }
}

TEST(HeaderWalker, TakesTheLongestMessage) {
  header_walker walker;
  recorder seen;
  ASSERT_EQ(walker.walk(bytes_of("d") + big_endian(limits::message_length_max), seen), walk_result::ok);
  const byte_buffer chunk(1 << 20);
  std::size_t left = limits::message_length_max - 4;
  while (left != 0) {
    EXPECT_FALSE(walker.at_boundary());
    const std::size_t size = std::min(left, chunk.size());
    ASSERT_EQ(walker.walk(byte_span{chunk}.first(size), seen), walk_result::ok);
    left -= size;
  }
  EXPECT_TRUE(walker.at_boundary());
  EXPECT_EQ(seen.messages.size(), 1u);
}

RC_GTEST_PROP(HeaderWalker, RandomChunksEqualTheWhole, ()) {
  byte_buffer stream;
  const auto sizes = *rc::gen::container<std::vector<std::size_t>>(
      rc::gen::oneOf(rc::gen::inRange<std::size_t>(0, 8), rc::gen::inRange<std::size_t>(0, 300)));
  for (const std::size_t size : sizes)
    stream = stream + message_of(*rc::gen::element('D', 'Z', 'E', 'S'), size);

  recorder whole;
  header_walker reference;
  RC_ASSERT(reference.walk(stream, whole) == walk_result::ok);
  RC_ASSERT(whole.messages.size() == sizes.size());

  recorder seen;
  header_walker walker;
  for (byte_span rest{stream}; !rest.empty();) {
    const auto size = std::min<std::size_t>(rest.size(), *rc::gen::inRange(1, 40));
    RC_ASSERT(walker.walk(exact(rest.first(size)), seen) == walk_result::ok);
    rest = rest.subspan(size);
  }
  RC_ASSERT(seen.messages == whole.messages);
  RC_ASSERT(walker.at_boundary());
}

}  // namespace
}  // namespace trunkline::protocol
