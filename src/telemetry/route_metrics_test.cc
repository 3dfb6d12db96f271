#include "telemetry/route_metrics.h"

#include <gtest/gtest.h>

#include <set>

namespace trunkline::telemetry {
namespace {

TEST(ErrorClass, HasAnIndexOfItsOwn) {
  constexpr std::string_view letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::set<std::size_t> seen;
  for (const char first : letters) {
    for (const char second : letters) {
      const std::string code{first, second, '0', '0', '1'};
      const std::size_t index = class_index(sqlstate(code));
      ASSERT_LT(index, std::tuple_size_v<decltype(route_metrics::errors_by_class)>);
      EXPECT_TRUE(seen.insert(index).second) << code;
      const auto back = class_of_index(index);
      EXPECT_EQ(std::string(back.data(), 2), code.substr(0, 2));
    }
  }
}

TEST(ErrorClass, IsZeroForWhatIsNone) {
  for (const char* code : {"a0000", "4\n000", "\xff\xff", " 2000", "_Z000"})
    EXPECT_EQ(class_index(sqlstate(code)), 0U) << code;
  EXPECT_EQ(class_index(sqlstate()), 0U);
}

TEST(RouteMetrics, OpenSessionsAreNeverNegative) {
  route_metrics made;
  made.sessions_over.add(1);
  EXPECT_EQ(made.open_sessions(), 0U);
  made.sessions_begun.add(3);
  EXPECT_EQ(made.open_sessions(), 2U);
}

TEST(RouteMetrics, PinsHaveAClosedListOfReasons) {
  EXPECT_EQ(pin_reason_names[pin_reason_of("temporary")], "temporary");
  EXPECT_EQ(pin_reason_names[pin_reason_of("what nobody thought of")], "other");
  EXPECT_EQ(pin_reason_of("other"), pin_reason_count - 1);
  const std::set<std::string_view> different(pin_reason_names.begin(), pin_reason_names.end());
  EXPECT_EQ(different.size(), pin_reason_count);
  route_metrics made;
  made.unpins[1].add();
  EXPECT_EQ(made.pinned_sessions(1), 0U);
  made.pins[1].add(3);
  EXPECT_EQ(made.pinned_sessions(1), 2U);
}

}  // namespace
}  // namespace trunkline::telemetry
