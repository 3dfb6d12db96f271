#include "audit/tap.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <deque>
#include <string>
#include <thread>

#include "audit/test_support.h"

namespace trunkline::audit {
namespace {

tap_header header(std::uint64_t request) {
  return {.kind = tap_kind::client_message, .type = 'Q', .session = 1, .request = request};
}

RC_GTEST_PROP(Tap, GivesBackWhatWasWrittenInOrderWhateverTheSizes, (std::vector<std::uint16_t> sizes)) {
  tap ring(4'096);
  std::deque<std::string> expected;
  std::uint64_t next = 0;
  const auto take = [&](const tap_header& head, byte_span payload) {
    RC_ASSERT(!expected.empty());
    RC_ASSERT(head.request == next++);
    RC_ASSERT(as_text(payload) == expected.front());
    expected.pop_front();
  };
  std::uint64_t written = 0;
  for (const std::uint16_t size : sizes) {
    const std::string body(size % 900, static_cast<char>('a' + size % 26));
    if (!ring.has_room(tap::cost(body.size()))) {
      ring.publish();
      while (ring.read(1'000, take) != 0) {
      }
      RC_ASSERT(ring.has_room(tap::cost(body.size())));
    }
    ring.write(header(written++), as_bytes(body));
    expected.push_back(body);
  }
  ring.publish();
  while (ring.read(1'000, take) != 0) {
  }
  RC_ASSERT(expected.empty());
  RC_ASSERT(ring.empty());
}

TEST(Tap, ShowsNothingBeforeItIsPublished) {
  tap ring(4'096);
  ring.write(header(1), {});
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.read(100, [](const auto&, byte_span) { FAIL(); }), 0u);
  ring.publish();
  EXPECT_FALSE(ring.empty());
}

TEST(Tap, IsFullAtItsCapacity) {
  tap ring(4'096);
  std::size_t count = 0;
  for (; ring.has_room(tap::cost(96)) && count < 1'000; ++count)
    ring.write(header(count), as_bytes(std::string(96, 'x')));
  EXPECT_LE(count, 4'096u / 128);
  EXPECT_GE(count, 4'096u / 128 - 1);
}

TEST(Tap, BeginsAnewWhereAllIsRead) {
  tap ring(4'096);
  std::vector<const std::byte*> places;
  for (std::size_t i = 0; i < 3; ++i) {
    ring.write(header(i), as_bytes("x"));
    ring.publish();
    ring.read(100, [&](const auto&, byte_span payload) { places.push_back(payload.data()); });
  }
  EXPECT_EQ(places, std::vector(3, places.front()));
}

TEST(Tap, DestroysEventsThatNobodyRead) {
  tap ring(4'096);
  ring.write(std::make_unique<rare_event>(
      rare_event{1, {}, cancel_served{"a client whose name is long enough", ""}}));
}

TEST(Tap, CarriesAMillionRecordsFromOneThreadToAnother) {
  tap ring(1 << 16);
  constexpr std::uint64_t count = 300'000;
  std::thread worker([&] {
    for (std::uint64_t i = 0; i < count; ++i) {
      while (!ring.has_room(tap::cost(i % 200)))
        std::this_thread::yield();
      ring.write(header(i), as_bytes(std::string(i % 200, static_cast<char>(i))));
      ring.publish();
    }
  });
  std::uint64_t next = 0;
  bool right = true;
  while (next < count) {
    const auto some = ring.read(4'096, [&](const tap_header& head, byte_span payload) {
      right = right && head.request == next && payload.size() == next % 200 &&
              as_text(payload).find_first_not_of(static_cast<char>(next)) == std::string_view::npos;
      ++next;
    });
    if (some == 0) std::this_thread::yield();
  }
  worker.join();
  EXPECT_TRUE(right);
}

}  // namespace
}  // namespace trunkline::audit
