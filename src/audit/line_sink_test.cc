// What a sink tells of its losses where nothing that is out can be taken back.
#include "audit/line_sink.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "audit/test_support.h"
#include "base/limits.h"

namespace trunkline::audit {
namespace {

using nlohmann::json;

/// As a pipe that takes `room` bytes and then no more.
class narrow_sink final : public line_sink {
 public:
  narrow_sink() : line_sink("host") {}

  std::size_t room = 0;
  std::string out;

 private:
  bool write() override {
    const std::string_view rest = pending().text().substr(written_);
    const std::size_t some = std::min(room, rest.size());
    out += rest.substr(0, some);
    room -= some;
    written_ += some;
    problem_ = some == rest.size() ? "" : "full";
    return some == rest.size();
  }
};

class Losses : public testing::Test {
 protected:
  /// A batch of so many events where what cannot be written is given up.
  void batch(int events) {
    now += limits::audit_sink_retry;
    sink.begin_batch(now, true);
    for (; events > 0; --events)
      sink.add(R"("event":"exchange")", {.time_us = ++time_us, .event = "exchange"});
    if (!sink.commit(now)) sink.give_up();
  }
  /// Of each gap, how much it says was lost; the lines are whole and their chain holds.
  std::vector<std::uint64_t> gaps() {
    std::vector<std::uint64_t> told;
    chain_state chain;
    line_hash hash;
    for (const std::string& line : test::lines_of(sink.out)) {
      const json event = json::parse(line, nullptr, false);
      EXPECT_TRUE(event.is_object()) << line;
      if (!event.is_object()) break;
      EXPECT_EQ(event["prev"], chain.hash_text());
      EXPECT_TRUE(read_chain(line, chain, hash));
      if (event["event"] == "gap") told.push_back(event["events"]);
    }
    return told;
  }

  narrow_sink sink;
  line_sink::time_point now = std::chrono::steady_clock::now();
  std::int64_t time_us = 0;
};

TEST_F(Losses, ALineThatIsHalfOutIsCompleted) {
  sink.room = 10;
  batch(3);
  EXPECT_EQ(sink.lost_events(), 2u);
  sink.room = 10'000;
  batch(0);
  batch(0);
  EXPECT_EQ(gaps(), (std::vector<std::uint64_t>{2}));
  EXPECT_TRUE(sink.settled());
}

TEST_F(Losses, WhatIsLostBehindAGapThatIsHalfOutIsToldByTheNext) {
  batch(3);
  sink.room = 10;
  batch(5);
  EXPECT_EQ(sink.lost_events(), 8u);
  batch(1);
  sink.room = 10'000;
  batch(0);
  batch(0);
  EXPECT_EQ(sink.lost_events(), 9u);
  EXPECT_EQ(gaps(), (std::vector<std::uint64_t>{3, 6}));
  EXPECT_TRUE(sink.settled());
}

TEST_F(Losses, AGapThatIsGivenUpIsToldWithTheNext) {
  batch(3);
  batch(5);
  sink.room = 10'000;
  batch(0);
  EXPECT_EQ(gaps(), (std::vector<std::uint64_t>{8}));
  EXPECT_TRUE(sink.settled());
}

}  // namespace
}  // namespace trunkline::audit
