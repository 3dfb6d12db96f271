#include "storm/hdr_histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <vector>

namespace trunkline::storm {
namespace {

using namespace std::chrono_literals;
using us = std::chrono::microseconds;

TEST(hdr_histogram, tells_every_percentile_within_its_precision) {
  EXPECT_TRUE(rc::check([](std::vector<std::uint32_t> values, std::uint8_t share) {
    RC_PRE(!values.empty());
    hdr_histogram made;
    for (const auto each : values)
      made.record(us(each));
    std::sort(values.begin(), values.end());
    const double part = share / 255.0;
    const auto index =
        static_cast<std::size_t>(std::max(std::ceil(part * static_cast<double>(values.size())), 1.0)) - 1;
    const double exact = values[index];
    const auto told = static_cast<double>(made.at(part).count());
    RC_ASSERT(told >= exact);
    RC_ASSERT(told <= exact * 1.008 + 1);
  }));
}

TEST(hdr_histogram, knows_its_ends_and_its_mean) {
  hdr_histogram made;
  EXPECT_EQ(made.at(0.5), us(0));
  for (const auto each : {3us, 5us, 1'000'000us})
    made.record(each);
  EXPECT_EQ(made.smallest(), 3us);
  EXPECT_EQ(made.largest(), 1'000'000us);
  EXPECT_EQ(made.at(1), 1'000'000us);
  EXPECT_EQ(made.at(0), 3us);
  EXPECT_EQ(made.mean(), us((3 + 5 + 1'000'000) / 3));
  made.record(100h);
  EXPECT_EQ(made.count(), 4U);
  EXPECT_GT(made.largest(), 18h);
}

TEST(hdr_histogram, counts_what_a_stalled_client_could_not_send) {
  hdr_histogram made;
  made.record_paced(1s, 100ms);
  EXPECT_EQ(made.count(), 10U);
  EXPECT_GE(made.at(0.5), 500ms);
  made.record_paced(50ms, 100ms);
  made.record_paced(50ms, 0ms);
  EXPECT_EQ(made.count(), 12U);
}

TEST(hdr_histogram, adds_up) {
  hdr_histogram a;
  hdr_histogram b;
  a.record(10ms);
  b.record(1ms);
  b.record(1s);
  a.merge(b);
  EXPECT_EQ(a.count(), 3U);
  EXPECT_EQ(a.smallest(), 1ms);
  EXPECT_EQ(a.largest(), 1s);
}

}  // namespace
}  // namespace trunkline::storm
