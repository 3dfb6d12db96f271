#include "session/login_guard.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace trunkline::session {
namespace {

using namespace std::chrono_literals;
using runtime::time_point;

constexpr time_point start = time_point(1000s);

void fail_often(login_guard& guard, std::size_t times, const std::string& user, time_point when = start) {
  for (std::size_t i = 0; i < times; ++i)
    guard.failed("10.0.0.1", user, when);
}

TEST(LoginGuard, TheFirstFailuresAreFree) {
  login_guard guard;
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start), 0s);
  fail_often(guard, limits::login_failures, "alice");
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start), 0s);
  fail_often(guard, 1, "alice");
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start), 1s);
  fail_often(guard, 3, "alice");
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start), 4s);
}

TEST(LoginGuard, OthersAreNotHeldUp) {
  login_guard guard;
  fail_often(guard, 20, "alice");
  EXPECT_FALSE(guard.wait("10.0.0.1", "alice", start + 500ms) == 0s);
  EXPECT_EQ(guard.wait("10.0.0.1", "bob", start), 0s);
  EXPECT_EQ(guard.wait("10.0.0.2", "alice", start), 0s);
}

TEST(LoginGuard, ASourceThatTriesManyUsersWaitsForAll) {
  login_guard guard;
  for (std::size_t i = 0; i < limits::login_failures_per_source + 20; ++i)
    guard.failed("10.0.0.1", "user" + std::to_string(i), start);
  EXPECT_EQ(guard.wait("10.0.0.1", "somebody else", start), 2s);
  EXPECT_EQ(guard.wait("10.0.0.2", "somebody else", start), 0s);
}

TEST(LoginGuard, TimeTakesItAway) {
  login_guard guard;
  fail_often(guard, limits::login_failures + 5, "alice");
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start + 3s), 2s);
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start + 5s), 0s);
  fail_often(guard, 1, "alice", start + 5s);
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start + 5s), 1s) << "the free ones are used up for now";
  fail_often(guard, 1, "alice", start + 1h);
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start + 1h), 0s);
}

TEST(LoginGuard, WhoWouldWaitTooLongIsRefusedAndThatEnds) {
  login_guard guard;
  fail_often(guard, 100'000, "alice");
  EXPECT_FALSE(guard.wait("10.0.0.1", "alice", start));
  EXPECT_FALSE(guard.wait("10.0.0.1", "alice", start + limits::login_debt_most / 2));
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start + limits::login_debt_most), 0s);
}

TEST(LoginGuard, KnowsSoManyAndNoMore) {
  login_guard guard;
  fail_often(guard, 15, "alice");
  for (std::size_t i = 0; i < limits::login_suspects; ++i)
    guard.failed("10.1.0." + std::to_string(i), "x", start);
  EXPECT_EQ(guard.suspects(), limits::login_suspects);
  EXPECT_EQ(guard.wait("10.0.0.1", "alice", start), 0s) << "failed least lately";
}

}  // namespace
}  // namespace trunkline::session
