#include "telemetry/flight_recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>

namespace trunkline::telemetry {
namespace {

using std::chrono::steady_clock;
using namespace std::chrono_literals;

const steady_clock::time_point start{1h};

flight_record record_of(nanoseconds total, outcome how = outcome::ok, std::string statement = "select 1") {
  flight_record made;
  made.facts.total = total;
  made.facts.how = how;
  made.facts.began = start;
  made.statement = std::move(statement);
  return made;
}

std::vector<std::int64_t> totals(const std::vector<flight_record>& of) {
  std::vector<std::int64_t> list;
  for (const auto& each : of)
    list.push_back(each.facts.total.count());
  return list;
}

RC_GTEST_PROP(FlightRecorder, KeepsTheSlowestAndTheLastFailed, (std::vector<std::uint16_t> durations)) {
  flight_recorder recorder;
  std::vector<std::int64_t> offered;
  std::vector<std::int64_t> failed;
  for (const std::uint16_t each : durations) {
    const auto how = each % 5 == 0 ? outcome::error : each % 7 == 0 ? outcome::cut_off : outcome::ok;
    auto record = record_of(nanoseconds{each}, how);
    offered.push_back(each);
    if (how != outcome::ok) failed.push_back(each);
    if (recorder.wants(record.facts)) recorder.keep(std::move(record), start);
  }
  std::sort(offered.begin(), offered.end(), std::greater<>());
  offered.resize(std::min(offered.size(), limits::slow_exchanges));
  std::reverse(failed.begin(), failed.end());
  failed.resize(std::min(failed.size(), limits::failed_exchanges));
  RC_ASSERT(totals(recorder.slowest()) == offered);
  RC_ASSERT(totals(recorder.failed()) == failed);
}

TEST(FlightRecorder, WantsOnlyWhatIsSlowerOnceItIsFull) {
  flight_recorder recorder;
  for (std::size_t i = 0; i < limits::slow_exchanges; ++i) {
    EXPECT_TRUE(recorder.wants(record_of(10ms).facts));
    recorder.keep(record_of(10ms), start);
  }
  EXPECT_FALSE(recorder.wants(record_of(10ms).facts));
  EXPECT_TRUE(recorder.wants(record_of(10ms + 1ns).facts));
  EXPECT_TRUE(recorder.wants(record_of(1ns, outcome::error).facts));
}

TEST(FlightRecorder, ASlowHourDoesNotHideTheNextOnes) {
  flight_recorder recorder;
  for (std::size_t i = 0; i < 2 * limits::slow_exchanges; ++i)
    recorder.keep(record_of(60s), start);
  auto later = record_of(1ms);
  later.facts.began = start + limits::slow_window;
  ASSERT_TRUE(recorder.wants(later.facts));
  recorder.keep(later, later.facts.began);
  EXPECT_EQ(recorder.slowest().size(), limits::slow_exchanges + 1) << "the window before is still shown";
  EXPECT_EQ(totals(recorder.slowest()).back(), nanoseconds(1ms).count());

  auto last = record_of(2ms);
  last.facts.began = start + 10 * limits::slow_window;
  ASSERT_TRUE(recorder.wants(last.facts));
  recorder.keep(last, last.facts.began);
  EXPECT_THAT(totals(recorder.slowest()), testing::ElementsAre(nanoseconds(2ms).count()))
      << "what is older than the window before is gone";
}

TEST(FlightRecorder, BoundsEveryText) {
  flight_recorder recorder;
  auto record = record_of(1ms, outcome::error, std::string(1'000'000, 's'));
  record.user.assign(100'000, 'u');
  record.application_name.assign(100'000, 'a');
  record.client.assign(limits::flight_text_bytes, 'c');
  recorder.keep(std::move(record), start);
  const auto kept = recorder.failed().front();
  EXPECT_EQ(kept.statement.size(), limits::statement_head_bytes);
  EXPECT_EQ(kept.user.size(), limits::flight_text_bytes);
  EXPECT_EQ(kept.application_name.size(), limits::flight_text_bytes);
  EXPECT_EQ(kept.client, std::string(limits::flight_text_bytes, 'c'));
}

}  // namespace
}  // namespace trunkline::telemetry
