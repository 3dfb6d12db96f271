#include "config/time_zone.h"

#include <gtest/gtest.h>

namespace trunkline::config {
namespace {

using namespace std::chrono;

seconds offset(const char* zone, sys_seconds when) {
  const auto found = time_zone::find(zone);
  EXPECT_TRUE(found) << zone;
  return found ? found->offset(when) : seconds(-1);
}

sys_seconds at(int y, unsigned m, unsigned d, int h) {
  return sys_days(year(y) / month(m) / day(d)) + hours(h);
}

TEST(TimeZone, KnowsSummerAndWinter) {
  EXPECT_EQ(offset("UTC", at(2026, 7, 1, 0)), seconds(0));
  EXPECT_EQ(offset("Europe/Berlin", at(2026, 1, 15, 12)), hours(1));
  EXPECT_EQ(offset("Europe/Berlin", at(2026, 7, 15, 12)), hours(2));
  EXPECT_EQ(offset("Asia/Kolkata", at(2026, 7, 15, 12)), minutes(330));
  EXPECT_EQ(offset("Australia/Sydney", at(2026, 1, 15, 12)), hours(11));
  EXPECT_EQ(offset("Australia/Sydney", at(2026, 7, 15, 12)), hours(10));
}

TEST(TimeZone, ChangesToTheHour) {
  // 29 March 2026, 01:00 UTC; 25 October 2026, 01:00 UTC.
  EXPECT_EQ(offset("Europe/Berlin", at(2026, 3, 29, 1) - seconds(1)), hours(1));
  EXPECT_EQ(offset("Europe/Berlin", at(2026, 3, 29, 1)), hours(2));
  EXPECT_EQ(offset("Europe/Berlin", at(2026, 10, 25, 1) - seconds(1)), hours(2));
  EXPECT_EQ(offset("Europe/Berlin", at(2026, 10, 25, 1)), hours(1));
}

TEST(TimeZone, GoesOnByItsRuleBehindTheLastTransition) {
  EXPECT_EQ(offset("Europe/Berlin", at(2090, 1, 15, 12)), hours(1));
  EXPECT_EQ(offset("Europe/Berlin", at(2090, 7, 15, 12)), hours(2));
  // The last Sunday of March 2090 is the 26th.
  EXPECT_EQ(offset("Europe/Berlin", at(2090, 3, 26, 1) - seconds(1)), hours(1));
  EXPECT_EQ(offset("Europe/Berlin", at(2090, 3, 26, 1)), hours(2));
  EXPECT_EQ(offset("Australia/Sydney", at(2090, 1, 15, 12)), hours(11));
  EXPECT_EQ(offset("America/New_York", at(2090, 7, 15, 12)), hours(-4));
}

TEST(TimeZone, RefusesWhatIsNone) {
  for (const char* name : {"", "Mars/Olympus", "../etc/passwd", "/etc/localtime", "Europe", "zone.tab"})
    EXPECT_FALSE(time_zone::find(name)) << name;
  EXPECT_FALSE(time_zone::parse(as_bytes("TZif2")));
}

}  // namespace
}  // namespace trunkline::config
