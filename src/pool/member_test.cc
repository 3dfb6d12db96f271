#include "pool/member.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;
using routing::moment;

const moment now = moment{} + 1h;

class Member : public testing::Test {
 protected:
  /// Fails until it rests; for how long.
  moment::duration rest(double jitter) {
    for (int i = 1; i < limits::failures_until_ejection; ++i)
      EXPECT_FALSE(one.failed(now, jitter));
    EXPECT_TRUE(one.failed(now, jitter));
    return one.ejected_until() - now;
  }

  member one{7, "db:5432", {.host = "db", .port = 5432}, 16};
};

TEST_F(Member, RestsAfterSomeFailuresInARow) {
  EXPECT_EQ(one.ejected_until(), moment{});
  EXPECT_FALSE(one.failed(now, 0.5));
  EXPECT_FALSE(one.failed(now, 0.5));
  one.worked({});
  EXPECT_FALSE(one.failed(now, 0.5));
  EXPECT_FALSE(one.failed(now, 0.5));
  EXPECT_EQ(one.ejected_until(), moment{});
  EXPECT_TRUE(one.failed(now, 0.5));
  EXPECT_EQ(one.ejected_until(), now + 1s);
}

TEST_F(Member, RestsTwiceAsLongEachTimeUpToALimit) {
  for (const auto expected : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s})
    EXPECT_EQ(rest(0.5), expected);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(rest(0.5), limits::ejection_most);
}

TEST_F(Member, RestsAQuarterMoreOrLess) {
  EXPECT_EQ(rest(0), 750ms);
  EXPECT_EQ(rest(1), 2500ms);
  EXPECT_EQ(rest(0), 3s);
}

TEST_F(Member, ALoginThatWorksMakesUpForAll) {
  (void)rest(0.5);
  (void)rest(0.5);
  EXPECT_FALSE(one.failed(now, 0.5));
  one.worked({});
  EXPECT_EQ(one.ejected_until(), moment{});
  EXPECT_EQ(rest(0.5), 1s);
}

TEST(Lease, CountsASessionOnItsServer) {
  const auto one = std::make_shared<member>(1, "a:1", config::address{.host = "a", .port = 1}, 16);
  const auto two = std::make_shared<member>(2, "b:1", config::address{.host = "b", .port = 1}, 16);
  EXPECT_FALSE(lease());
  EXPECT_EQ(lease().on(), nullptr);
  {
    lease here(one);
    const lease also(one);
    EXPECT_EQ(one->sessions, 2U);
    EXPECT_EQ(here.on(), one.get());
    lease there(two);
    here = std::move(there);  // what was held before goes with `there`
    EXPECT_EQ(here.on(), two.get());
    const lease moved = std::move(here);
    EXPECT_FALSE(here);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(two->sessions, 1U);
  }
  EXPECT_EQ(one->sessions, 0U);
  EXPECT_EQ(two->sessions, 0U);
}

TEST(Lease, KeepsItsServerAndItsAddress) {
  std::shared_ptr<const config::address> address;
  {
    const lease here(std::make_shared<member>(1, "a:1", config::address{.host = "a", .port = 1}, 16));
    address = here.address();
  }
  EXPECT_EQ(address->text(), "a:1");
}

}  // namespace
}  // namespace trunkline::pool
