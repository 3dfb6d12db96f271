#include "telemetry/histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace trunkline::telemetry {
namespace {

constexpr std::array<std::int64_t, 1> one_bound{5};
constexpr std::array<std::int64_t, 5> crowded{4, 5, 6, 7, 8};
constexpr std::array<std::int64_t, 3> extremes{0, 1, std::numeric_limits<std::int64_t>::max()};

/// By the definition: as many as are below.
template <const auto& Bounds>
std::size_t counted(std::int64_t value) {
  const auto size = std::max<std::int64_t>(value, 0);
  return static_cast<std::size_t>(
      std::count_if(Bounds.begin(), Bounds.end(), [&](std::int64_t bound) { return size > bound; }));
}

std::vector<std::int64_t> telling_values(std::span<const std::int64_t> bounds) {
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> values{std::numeric_limits<std::int64_t>::min(), -1, 0, 1, most};
  for (const std::int64_t bound : bounds) {
    for (const std::int64_t step : {-1, 0, 1}) {
      if (bound < most || step < 1) values.push_back(bound + step);
    }
  }
  for (int bit = 1; bit < 63; ++bit) {
    for (const std::int64_t step : {-1, 0, 1})
      values.push_back((std::int64_t{1} << bit) + step);
  }
  return values;
}

template <const auto& Bounds>
void agrees() {
  for (const std::int64_t value : telling_values(Bounds))
    EXPECT_EQ(bucket_of<Bounds>(value), counted<Bounds>(value)) << value;
}

TEST(Histogram, BucketsAreExactAtEveryBoundAndOctave) {
  agrees<bounds::latency>();
  agrees<bounds::idle_death>();
  agrees<one_bound>();
  agrees<crowded>();
  agrees<extremes>();
}

RC_GTEST_PROP(Histogram, BucketsAreExact, (std::int64_t value, std::uint8_t shift)) {
  value >>= shift % 64;
  RC_ASSERT(bucket_of<bounds::latency>(value) == counted<bounds::latency>(value));
  RC_ASSERT(bucket_of<bounds::idle_death>(value) == counted<bounds::idle_death>(value));
  RC_ASSERT(bucket_of<crowded>(value) == counted<crowded>(value));
}

TEST(Histogram, CountsAndSums) {
  latency_histogram made;
  made.record(std::chrono::microseconds{50});
  made.record(std::chrono::microseconds{51});
  made.record(std::chrono::hours{1});
  made.record(std::chrono::nanoseconds{-7});
  EXPECT_EQ(made.bucket(0), 2U);
  EXPECT_EQ(made.bucket(1), 1U);
  EXPECT_EQ(made.bucket(latency_histogram::bucket_count - 1), 1U);
  EXPECT_EQ(made.sum_ns(), 3'600'000'101'000U) << "a negative time counts as none";
}

TEST(IdleTimers, BoundsAscendAndEachTimerHasABucketOfItsOwn) {
  EXPECT_TRUE(std::is_sorted(bounds::idle_death.begin(), bounds::idle_death.end()));
  EXPECT_EQ(std::adjacent_find(bounds::idle_death.begin(), bounds::idle_death.end()),
            bounds::idle_death.end());
  for (const idle_timer& each : idle_timers) {
    const std::int64_t at = each.seconds * bounds::s;
    const std::size_t bucket = bucket_of<bounds::idle_death>(at);
    EXPECT_EQ(bounds::idle_death[bucket], each.to * bounds::s) << each.suspect;
    EXPECT_EQ(bounds::idle_death[bucket - 1], each.from * bounds::s) << each.suspect;
    EXPECT_EQ(timer_near(static_cast<double>(each.seconds) + 0.3), &each);
  }
  EXPECT_EQ(timer_near(0), nullptr);
  EXPECT_EQ(timer_near(200), nullptr);
  EXPECT_EQ(timer_near(1e9), nullptr);
}

}  // namespace
}  // namespace trunkline::telemetry
