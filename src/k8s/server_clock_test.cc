#include "k8s/server_clock.h"

#include <gtest/gtest.h>

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;
using std::chrono::system_clock;

constexpr server_clock::moment start{10h};
constexpr system_clock::time_point date{1'800'000'000s};

std::chrono::milliseconds since_date(const server_clock& of, server_clock::moment when) {
  return of.at(when).value() - std::chrono::floor<std::chrono::milliseconds>(date);
}

TEST(server_clock, knows_nothing_before_the_first_answer) {
  EXPECT_FALSE(server_clock().at(start));
}

TEST(server_clock, is_in_the_middle_of_what_one_answer_allows) {
  server_clock clock;
  clock.hear(date, start, start + 20ms);
  EXPECT_EQ(since_date(clock, start + 10ms), 500ms);
  EXPECT_EQ(since_date(clock, start + 10s + 10ms), 10'500ms);
}

TEST(server_clock, each_answer_brings_it_closer) {
  server_clock clock;
  // True: `date` is 300 ms after `start`.
  clock.hear(date - 1s, start, start);
  clock.hear(date - 1s, start + 290ms, start + 290ms);
  clock.hear(date, start + 310ms, start + 310ms);
  EXPECT_NEAR(static_cast<double>(since_date(clock, start + 300ms).count()), 0, 11);
}

TEST(server_clock, an_answer_that_fits_to_none_before_moves_it_a_step) {
  server_clock clock;
  clock.hear(date, start, start);
  clock.hear(date + 1h, start + 1s, start + 1s);
  EXPECT_EQ(since_date(clock, start), 500ms + limits::k8s_clock_step);
  for (int i = 2; i < 4'000; ++i)
    clock.hear(date + 1h + std::chrono::seconds(i - 1), start + std::chrono::seconds(i),
               start + std::chrono::seconds(i));
  EXPECT_NEAR(static_cast<double>(since_date(clock, start).count()),
              static_cast<double>(std::chrono::milliseconds(1h - 1s + 500ms).count()), 1'000);
}

TEST(server_clock, goes_back_by_steps_too) {
  server_clock clock;
  clock.hear(date, start, start);
  clock.hear(date - 1min, start, start);
  EXPECT_EQ(since_date(clock, start), 500ms - limits::k8s_clock_step);
}

}  // namespace
}  // namespace trunkline::k8s
