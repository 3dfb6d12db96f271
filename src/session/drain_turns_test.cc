#include "session/drain_turns.h"

#include <gtest/gtest.h>

#include <random>

namespace trunkline::session {
namespace {

using namespace std::chrono_literals;

TEST(drain_turns, nobody) {
  drain_turns none;
  EXPECT_FALSE(none.next(0));
  EXPECT_FALSE(drain_turns(runtime::time_point{}, 5s, 0).next(7));
}

TEST(drain_turns, everyone_has_one_turn_within_its_share) {
  const runtime::time_point begin{100s};
  drain_turns turns(begin, 5s, 1'000);
  std::mt19937 dice(1);
  for (int i = 0; i < 1'000; ++i) {
    const auto at = turns.next(dice());
    ASSERT_TRUE(at);
    EXPECT_GE(*at, begin + 5ms * i);
    EXPECT_LE(*at, begin + 5ms * (i + 1));
  }
  EXPECT_FALSE(turns.next(0));
}

TEST(drain_turns, chance_moves_a_turn_within_its_share) {
  const runtime::time_point begin{};
  EXPECT_EQ(drain_turns(begin, 4s, 2).next(0), begin);
  EXPECT_EQ(drain_turns(begin, 4s, 2).next(0x8000'0000), begin + 1s);
  EXPECT_EQ(drain_turns(begin, 0s, 2).next(0xffff'ffff), begin);
}

}  // namespace
}  // namespace trunkline::session
