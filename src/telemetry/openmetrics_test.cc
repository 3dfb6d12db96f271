#include "telemetry/openmetrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>
#include <memory>

#include "telemetry/route_exposition.h"
#include "telemetry/utf8.h"

namespace trunkline::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;

const metric_family requests{"x_requests_total", metric_kind::counter, "Requests, \\ and\nmore."};
const metric_family wait{"x_wait_seconds", metric_kind::histogram, "Waiting."};
const metric_family made_of{"x_build_info", metric_kind::info, "Build."};
const metric_family twin{"x_twin_total", metric_kind::total, "Its gauge is x_twin."};

std::string sample_of_all(metrics_format format) {
  metrics_writer out(format);
  out.family(requests);
  out.sample({{"route", "a"}, {"cause", "b"}}, std::uint64_t{18'446'744'073'709'551'615U});
  out.family(wait);
  constexpr std::array<std::int64_t, 3> bounds{50'000, 1'000'000'000, 345'000'000'000};
  constexpr std::array<std::uint64_t, 4> buckets{1, 0, 2, 1};
  out.distribution({{"leg", "server"}}, bounds, buckets, 1'500'000'000);
  out.family(made_of);
  out.sample({{"version", "1.0"}}, std::uint64_t{1});
  out.family(twin);
  out.sample({}, 0.25);
  return out.finish();
}

TEST(OpenMetrics, IsExactlyThis) {
  EXPECT_EQ(sample_of_all(metrics_format::openmetrics),
            "# HELP x_requests Requests, \\\\ and\\nmore.\n"
            "# TYPE x_requests counter\n"
            "x_requests_total{route=\"a\",cause=\"b\"} 18446744073709551615\n"
            "# HELP x_wait_seconds Waiting.\n"
            "# TYPE x_wait_seconds histogram\n"
            "# UNIT x_wait_seconds seconds\n"
            "x_wait_seconds_bucket{leg=\"server\",le=\"5e-05\"} 1\n"
            "x_wait_seconds_bucket{leg=\"server\",le=\"1.0\"} 1\n"
            "x_wait_seconds_bucket{leg=\"server\",le=\"345.0\"} 3\n"
            "x_wait_seconds_bucket{leg=\"server\",le=\"+Inf\"} 4\n"
            "x_wait_seconds_sum{leg=\"server\"} 1.5\n"
            "x_wait_seconds_count{leg=\"server\"} 4\n"
            "# HELP x_build Build.\n"
            "# TYPE x_build info\n"
            "x_build_info{version=\"1.0\"} 1\n"
            "# HELP x_twin_total Its gauge is x_twin.\n"
            "# TYPE x_twin_total unknown\n"
            "x_twin_total 0.25\n"
            "# EOF\n");
}

TEST(OpenMetrics, TheOlderFormatHasTheSameSamples) {
  const auto text = sample_of_all(metrics_format::text);
  EXPECT_THAT(text, HasSubstr("# TYPE x_requests_total counter\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE x_build_info gauge\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE x_twin_total counter\n"));
  EXPECT_THAT(text, Not(HasSubstr("# UNIT")));
  EXPECT_THAT(text, Not(HasSubstr("# EOF")));
  const auto samples_of = [](const std::string& from) {
    std::string kept;
    for (std::size_t at = 0; at < from.size();) {
      const std::size_t end = from.find('\n', at);
      if (from[at] != '#') kept += from.substr(at, end - at + 1);
      at = end + 1;
    }
    return kept;
  };
  EXPECT_EQ(samples_of(text), samples_of(sample_of_all(metrics_format::openmetrics)));
}

TEST(OpenMetrics, NumbersAreWrittenOneWay) {
  EXPECT_EQ(metric_number(0), "0.0");
  EXPECT_EQ(metric_number(345), "345.0");
  EXPECT_EQ(metric_number(0.0025), "0.0025");
  EXPECT_EQ(metric_number(-0.5), "-0.5");
  EXPECT_EQ(metric_number(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(metric_number(-std::numeric_limits<double>::infinity()), "-Inf");
}

TEST(OpenMetrics, AHostileLabelStaysInItsPlace) {
  metrics_writer out(metrics_format::openmetrics);
  out.family(requests);
  out.sample({{"subject", std::string_view("a\"} 1\n# EOF\n\\ \xff\xc0\xaf\0z", 19)}}, std::uint64_t{1});
  EXPECT_THAT(
      out.finish(),
      HasSubstr("x_requests_total{subject=\"a\\\"} 1\\n# EOF\\n\\\\ \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                "\xef\xbf\xbdz\"} 1\n"));
}

TEST(Utf8, KeepsWhatIsWellFormed) {
  for (const char* good :
       {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(valid_utf8(good), good);
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(valid_utf8("\xc3"), replaced);
  EXPECT_EQ(valid_utf8("\xe2\x82"), replaced + replaced);
  EXPECT_EQ(valid_utf8("\xc0\x80"), replaced + replaced) << "a longer form";
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), replaced + replaced + replaced) << "a surrogate";
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), replaced + replaced + replaced + replaced) << "beyond U+10FFFF";
  EXPECT_EQ(valid_utf8(std::string_view("a\0b", 3)), "a" + replaced + "b");
}

RC_GTEST_PROP(Utf8, IsItselfAfterwards, (const std::string& bytes)) {
  const auto once = valid_utf8(bytes);
  RC_ASSERT(valid_utf8(once) == once);
}

TEST(RouteExposition, AddsUpTheWorkers) {
  std::array<std::unique_ptr<route_metrics>, 3> all;
  for (auto& each : all)
    each = std::make_unique<route_metrics>();
  all[0]->route = all[1]->route = "app";
  all[0]->upstream = all[1]->upstream = "db";
  all[2]->route = "other";
  all[0]->sessions_begun.add(5);
  all[0]->sessions_over.add(1);
  all[1]->sessions_begun.add(2);
  all[0]->exchange_seconds[static_cast<std::size_t>(phase::server)].record(std::chrono::milliseconds{2});
  all[1]->exchange_seconds[static_cast<std::size_t>(phase::server)].record(std::chrono::milliseconds{3});
  all[1]->idle_before_death[static_cast<std::size_t>(side::server)].record(std::chrono::seconds{351});
  all[1]->errors_by_class[class_index(sqlstate("57P01"))].add(3);
  all[2]->bytes_received[static_cast<std::size_t>(side::client)].add(100);
  all[2]->closes[static_cast<std::size_t>(cause::client_eof)].add(1);
  const std::array<const route_metrics*, 3> live{all[0].get(), all[1].get(), all[2].get()};
  metrics_writer out(metrics_format::text);
  write_routes(out, live);
  const auto text = out.finish();
  for (const char* expected :
       {"trunkline_sessions{route=\"app\",upstream=\"db\"} 6\n",
        "trunkline_sessions_total{route=\"app\",upstream=\"db\"} 7\n",
        "trunkline_exchange_seconds_bucket{route=\"app\",upstream=\"db\",phase=\"server\",le=\"0.0025\"} 1\n",
        "trunkline_exchange_seconds_bucket{route=\"app\",upstream=\"db\",phase=\"server\",le=\"0.005\"} 2\n",
        "trunkline_exchange_seconds_sum{route=\"app\",upstream=\"db\",phase=\"server\"} 0.005\n",
        "idle_before_death_seconds_bucket{route=\"app\",upstream=\"db\",leg=\"server\",le=\"345.0\"} 0\n",
        "idle_before_death_seconds_bucket{route=\"app\",upstream=\"db\",leg=\"server\",le=\"357.0\"} 1\n",
        "idle_before_death_seconds_count{route=\"app\",upstream=\"db\",leg=\"client\"} 0\n",
        "trunkline_errors_total{route=\"app\",upstream=\"db\",sqlstate_class=\"57\"} 3\n",
        "trunkline_bytes_total{route=\"other\",upstream=\"\",leg=\"client\",direction=\"received\"} 100\n",
        "trunkline_bytes_total{route=\"other\",upstream=\"\",leg=\"server\",direction=\"sent\"} 100\n",
        "trunkline_bytes_total{route=\"other\",upstream=\"\",leg=\"server\",direction=\"received\"} 0\n",
        "trunkline_session_closes_total{route=\"other\",upstream=\"\",cause=\"client_eof\"} 1\n",
        "trunkline_session_closes_total{route=\"other\",upstream=\"\",cause=\"drain\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(expected));
  }
  EXPECT_THAT(text, Not(HasSubstr("sqlstate_class=\"00\"")));
}

}  // namespace
}  // namespace trunkline::telemetry
