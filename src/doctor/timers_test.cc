#include "doctor/timers.h"

#include <gmock/gmock.h>

#include <algorithm>

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<long> seconds_of(const std::vector<const known_timer*>& all) {
  std::vector<long> made;
  for (const known_timer* each : all)
    made.push_back(each->after.count());
  return made;
}

TEST(timers, what_lies_between_two_silences_is_suspect) {
  EXPECT_THAT(seconds_of(suspects(345s, 355s)), ElementsAre(350));
  EXPECT_THAT(seconds_of(suspects(180s, 355s)), ElementsAre(240, 300, 350));
  EXPECT_THAT(suspects(20s, 40s), IsEmpty());
}

TEST(timers, each_names_its_fault) {
  const auto fault_at = [](std::chrono::seconds when) {
    const auto found = suspects(when - 5s, when + 5s);
    return found.size() == 1 ? std::string(found.front()->pathology) : "";
  };
  EXPECT_EQ(fault_at(120s), "P31");
  EXPECT_EQ(fault_at(240s), "P02");
  EXPECT_EQ(fault_at(300s), "P08");
  EXPECT_EQ(fault_at(350s), "P01");
  EXPECT_EQ(fault_at(600s), "P03");
  EXPECT_EQ(fault_at(900s), "P05");
  EXPECT_EQ(fault_at(1200s), "P03");
  EXPECT_EQ(fault_at(1800s), "P02");
  EXPECT_EQ(fault_at(3600s), "P07");
  EXPECT_EQ(fault_at(8000s), "P06");
}

TEST(timers, a_timer_that_was_survived_is_none) {
  EXPECT_THAT(suspects(350s, 380s), IsEmpty());
}

TEST(timers, a_ladder_has_a_rung_on_either_side_of_each_timer) {
  const auto rungs = ladder_up_to(4000s);
  EXPECT_TRUE(std::ranges::is_sorted(rungs));
  EXPECT_EQ(std::ranges::adjacent_find(rungs), rungs.end());
  EXPECT_EQ(rungs.back(), 4000s);
  for (const known_timer& each : known_timers()) {
    if (each.after > 3600s) continue;
    const auto behind = std::ranges::upper_bound(rungs, each.after);
    ASSERT_NE(behind, rungs.begin());
    EXPECT_THAT(suspects(*std::prev(behind), *behind), testing::Contains(&each)) << each.after.count();
  }
}

TEST(timers, a_short_ladder_ends_where_it_is_told_to) {
  EXPECT_THAT(ladder_up_to(9s), ElementsAre(3s, 8s, 9s));
  EXPECT_THAT(ladder_up_to(1s), ElementsAre(1s));
}

}  // namespace
}  // namespace trunkline::doctor
