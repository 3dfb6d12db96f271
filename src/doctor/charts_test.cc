#include "doctor/charts.h"

#include <gmock/gmock.h>

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t made = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1))
    ++made;
  return made;
}

TEST(charts, nothing_is_drawn_of_what_was_not_measured) {
  EXPECT_EQ(charts_of({}), "");
}

TEST(charts, logins_stand_stage_by_stage) {
  facts known;
  known.look_up = 2ms;
  known.measured.logins = {{1, {1ms, 3ms, 4ms, 2ms, 5ms}}, {40, {1ms, 30ms, 200ms, 90ms, 40ms}}};
  const std::string drawn = charts_of(known);
  EXPECT_THAT(drawn, HasSubstr("alone"));
  EXPECT_THAT(drawn, HasSubstr("40 at once"));
  EXPECT_THAT(
      drawn,
      HasSubstr("dns 2.0 ms, connect 1.0 ms, ssl 3.0 ms, first answer 4.0 ms, auth 2.0 ms, ready 5.0 ms"));
  EXPECT_THAT(drawn, HasSubstr("<title>ssl: 30.0 ms</title>"));
  EXPECT_THAT(drawn, HasSubstr(">363.0 ms<")) << "the whole of the forty";
}

TEST(charts, sizes_and_trips_are_curves_over_a_grid) {
  facts known;
  known.measured.sizes = {{100, 200us, 210us}, {1500, 250us, 240us}, {60'000, 900us, 700us}};
  known.measured.queries = {100us, 120us, 90us};
  const std::string drawn = charts_of(known);
  EXPECT_EQ(count(drawn, "<figure>"), 2u);
  EXPECT_EQ(count(drawn, "<polyline"), 2u);
  EXPECT_THAT(drawn, HasSubstr("60 kB from the server: 900 us"));
  EXPECT_THAT(drawn, HasSubstr(">1.0 ms<")) << "the grid ends at a round figure";
  known.measured.steady = {{0us, 100us}, {1000us, 110us}, {2000us, 80ms}};
  EXPECT_THAT(charts_of(known), HasSubstr("how long each took, and when"));
}

TEST(charts, silences_show_what_they_survived) {
  facts known;
  known.measured.silences = {
      {1s, "idle", 1s, true}, {400s, "idle", 350s, false}, {400s, "a silent statement", 400s, true}};
  const std::string drawn = charts_of(known);
  EXPECT_THAT(drawn, HasSubstr("400 s: ended after 350.00 s"));
  EXPECT_EQ(count(drawn, "class=\"good\""), 2u);
  EXPECT_EQ(count(drawn, "<circle class=\"bad\""), 1u);
}

TEST(charts, times_of_nothing_and_of_an_hour_have_a_place) {
  facts known;
  known.measured.logins = {{1, {}}};
  known.measured.sizes = {{1, 0us, 0us}, {2, 1h, 0us}};
  known.measured.queries = {0us, 0us};
  EXPECT_THAT(charts_of(known), Not(HasSubstr("nan")));
  EXPECT_THAT(charts_of(known), Not(HasSubstr("inf")));
}

}  // namespace
}  // namespace trunkline::doctor
