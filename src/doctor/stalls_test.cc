#include "doctor/stalls.h"

#include <gtest/gtest.h>

#include <random>

namespace trunkline::doctor {
namespace {

constexpr microseconds whole{1'200'000};
constexpr microseconds trip{200};

/// A query each millisecond through somebody who runs for `runs` of each period and then does not.
std::vector<timed_trip> through_a_quota(microseconds runs, microseconds phase) {
  std::vector<timed_trip> made;
  for (microseconds at{0}; at < whole; at += microseconds(1'000)) {
    const microseconds place = (at + phase) % quota_period;
    const microseconds held = place >= runs ? quota_period - place : microseconds(0);
    made.push_back({at, trip + held});
    at += held;
  }
  return made;
}

TEST(stalls, of_a_quota_are_seen_wherever_its_period_begins) {
  for (const int phase : {0, 7, 33, 50, 99})
    for (const int runs : {10, 40, 80})
      EXPECT_TRUE(
          pattern_of(through_a_quota(microseconds(runs * 1'000), microseconds(phase * 1'000))).is_quota())
          << phase << " " << runs;
}

TEST(stalls, that_are_short_are_scheduling) {
  const auto seen = pattern_of(through_a_quota(microseconds(95'000), microseconds(0)));
  EXPECT_EQ(seen.stalls, 0u);
  EXPECT_FALSE(seen.is_quota());
}

TEST(stalls, of_a_steady_path_are_none) {
  EXPECT_FALSE(pattern_of(std::vector<timed_trip>(500, {microseconds(0), trip})).is_quota());
  EXPECT_FALSE(pattern_of({}).is_quota());
}

TEST(stalls, with_another_period_are_no_quota) {
  for (const int period : {30, 47, 70, 130, 170, 250, 333}) {
    std::vector<timed_trip> made;
    for (microseconds at{0}; at < whole; at += microseconds(1'000)) {
      const bool held =
          at / microseconds(period * 1'000) != (at + microseconds(1'000)) / microseconds(period * 1'000);
      made.push_back({at, held ? microseconds(20'000) : trip});
    }
    EXPECT_FALSE(pattern_of(made).is_quota()) << period;
  }
}

/// A busy machine stalls at any time: in twenty thousand such runs none looks like a quota.
TEST(stalls, at_random_are_no_quota) {
  std::mt19937 random(20261129);
  std::exponential_distribution<double> length(1.0 / 15'000);
  int wrong = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::vector<timed_trip> made(200, {microseconds(0), trip});
    std::uniform_int_distribution<std::int64_t> gap(1'000, 1'000 * (20 + run % 200));
    for (microseconds at{0}; at < whole;) {
      const microseconds took(10'500 + static_cast<std::int64_t>(length(random)));
      made.push_back({at, took});
      at += took + microseconds(gap(random));
    }
    wrong += pattern_of(made).is_quota() ? 1 : 0;
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace trunkline::doctor
