#include "admin/pool_metrics_page.h"

#include <gmock/gmock.h>

#include "admin/fake_observer.h"
#include "base/limits.h"

namespace trunkline::admin {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

session::pool_view pool_of(std::string user, std::uint64_t active) {
  session::pool_view made{.upstream = "db", .target = "primary", .database = "app", .user = std::move(user)};
  made.sv_active = active;
  made.size = 20;
  return made;
}

std::string page(fake_observer& seen) {
  telemetry::metrics_writer out(telemetry::metrics_format::text);
  write_pools(out, seen);
  return out.finish();
}

std::size_t lines_with(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++count;
  return count;
}

TEST(PoolMetrics, EachStateIsASeries) {
  fake_observer seen;
  seen.pool_list = {pool_of("anna", 3)};
  seen.pool_list[0].sv_idle = 4;
  seen.pool_list[0].sv_login = 5;
  seen.pool_list[0].sv_tested = 6;
  seen.pool_list[0].cl_waiting = 7;
  const auto text = page(seen);
  const std::string labels = R"({upstream="db",target="primary",database="app",user="anna")";
  EXPECT_THAT(text, HasSubstr("trunkline_pool_connections" + labels + ",state=\"active\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("trunkline_pool_connections" + labels + ",state=\"idle\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("trunkline_pool_connections" + labels + ",state=\"opening\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("trunkline_pool_connections" + labels + ",state=\"resetting\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("trunkline_pool_size" + labels + "} 20\n"));
  EXPECT_THAT(text, HasSubstr("trunkline_pool_waiting_clients" + labels + "} 7\n"));
}

TEST(PoolMetrics, PoolsWithTheSameLabelsAreOneSeries) {
  fake_observer seen;
  seen.pool_list = {pool_of("anna", 3), pool_of("anna", 4)};
  const auto text = page(seen);
  EXPECT_THAT(text, HasSubstr(R"(user="anna",state="active"} 7)"));
  EXPECT_EQ(lines_with(text, "trunkline_pool_size{"), 1U);
}

TEST(PoolMetrics, TheNumberOfSeriesHasABound) {
  fake_observer seen;
  for (std::size_t i = 0; i < limits::pool_series + 50; ++i)
    seen.pool_list.push_back(pool_of("user" + std::to_string(i), 1));
  seen.pool_list.push_back(pool_of("user7", 1));
  const auto text = page(seen);
  EXPECT_EQ(lines_with(text, "trunkline_pool_size{"), limits::pool_series + 1);
  EXPECT_THAT(text, HasSubstr(R"(database="other",user="other",state="active"} 50)"));
  EXPECT_THAT(text, HasSubstr(R"(user="user7",state="active"} 2)")) << "the oldest keep their names";
  EXPECT_THAT(text, Not(HasSubstr("user=\"user" + std::to_string(limits::pool_series) + "\"")));
}

TEST(PoolMetrics, WaitsAreSummedOverTheWorkersOfAnUpstream) {
  fake_observer seen;
  for (int i = 0; i < 2; ++i) {
    seen.pool_count_list.push_back(std::make_unique<telemetry::pool_metrics>());
    seen.pool_count_list.back()->upstream = "db";
    seen.pool_count_list.back()->wait_seconds.record(3ms);
  }
  const auto text = page(seen);
  EXPECT_THAT(text, HasSubstr(R"(trunkline_pool_wait_seconds_bucket{upstream="db",le="0.0025"} 0)"));
  EXPECT_THAT(text, HasSubstr(R"(trunkline_pool_wait_seconds_bucket{upstream="db",le="0.005"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(trunkline_pool_wait_seconds_sum{upstream="db"} 0.006)"));
}

}  // namespace
}  // namespace trunkline::admin
