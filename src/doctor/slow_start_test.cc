#include <gtest/gtest.h>

#include "doctor/checks.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

TEST(slow_start, a_window_that_is_lost_costs_round_trips_each_time) {
  EXPECT_TRUE(is_window_lost({62ms, 65ms, 61ms}, {190ms, 200ms, 185ms}, 30ms));
}

TEST(slow_start, one_result_without_the_cost_is_enough_to_clear_it) {
  EXPECT_FALSE(is_window_lost({62ms, 65ms, 61ms}, {190ms, 200ms, 70ms}, 30ms));
  EXPECT_TRUE(is_window_lost({62ms, 396ms, 61ms}, {190ms, 200ms, 185ms}, 30ms)) << "one stall";
  EXPECT_FALSE(is_window_lost({62ms, 180ms, 175ms}, {190ms, 200ms, 185ms}, 30ms)) << "it is slow anyway";
  EXPECT_FALSE(is_window_lost({62ms, 65ms, 61ms}, {100ms, 110ms, 95ms}, 30ms)) << "one round trip is chance";
  EXPECT_FALSE(is_window_lost({}, {}, 30ms));
}

}  // namespace
}  // namespace trunkline::doctor
