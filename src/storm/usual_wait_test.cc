// Where a wait for a pooled connection is told from a slow statement.
#include "storm/usual_wait.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace trunkline::storm {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;

void see(usual_wait& of, int times, microseconds took, microseconds now = 0us) {
  for (int i = 0; i < times; ++i)
    of.inside(took, now);
}

constexpr int enough = static_cast<int>(limits::storm_usual_samples);

TEST(usual_wait, nothing_is_known_from_too_few) {
  usual_wait usual;
  see(usual, enough - 1, 2ms);
  EXPECT_EQ(usual.beyond(10s), 0us);
  EXPECT_FALSE(usual.was_known());
  see(usual, 1, 2ms);
  EXPECT_TRUE(usual.was_known());
  EXPECT_NEAR(static_cast<double>(usual.beyond(10s).count()), 9.998e6, 1e5);
}

TEST(usual_wait, what_also_happens_inside_is_no_wait) {
  usual_wait usual;
  see(usual, 90, 2ms);
  see(usual, 10, 500ms);
  EXPECT_EQ(usual.beyond(500ms), 0us);
  EXPECT_GT(usual.beyond(800ms), 700ms);
  EXPECT_EQ(usual.beyond(1ms), 0us);
}

TEST(usual_wait, a_server_that_becomes_slow_is_not_a_pool_that_is_empty) {
  usual_wait usual;
  see(usual, 1'000, 2ms, 1s);
  EXPECT_GT(usual.beyond(1s), 0us);
  see(usual, enough, 1s, 2s);
  EXPECT_EQ(usual.beyond(1s), 0us);
}

TEST(usual_wait, forgets) {
  usual_wait usual;
  see(usual, 100, 1s, 1s);
  EXPECT_EQ(usual.beyond(500ms), 0us);
  see(usual, enough, 2ms, 7s);
  EXPECT_EQ(usual.beyond(500ms), 0us);  // the window before counts too
  see(usual, enough, 2ms, 13s);
  EXPECT_GT(usual.beyond(500ms), 450ms);
}

}  // namespace
}  // namespace trunkline::storm
