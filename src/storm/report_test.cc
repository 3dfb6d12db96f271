// What is told of a run, on whatever terminal.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "storm/chart_page.h"
#include "storm/figures.h"
#include "storm/progress_line.h"
#include "storm/report_json.h"
#include "storm/report_text.h"

namespace trunkline::storm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

finding one_finding(fault what, std::chrono::microseconds took, std::string message) {
  return {.what = {.what = what, .where = stage::transfer, .code = {}, .message = std::move(message)},
          .during = workload::query,
          .at = 2s,
          .took = took,
          .client = 3};
}

report two_paths() {
  report made;
  for (const char* name : {"A", "B"}) {
    conninfo dsn;
    dsn.servers.push_back({"db.example.org", "db.example.org", 5432});
    dsn.user = "app";
    dsn.database = "a<b>";
    dsn.password = secret_text("very secret");
    made.paths.push_back(std::make_unique<path_report>(name, std::move(dsn), 30s));
    tally& said = made.paths.back()->said;
    said.facts = {"18.1", "TLSv1.3 TLS_AES_256_GCM_SHA384", "10.0.0.1:5432", true, true};
    said.length = 30s;
    for (int i = 1; i <= 50; ++i) {
      said.stage_took(stage::query, i * 1ms);
      said.answered(workload::query, i * 1ms);
      said.over_time.tick(i * 500ms, 10);
    }
  }
  made.paths[1]->said.found(one_finding(fault::late, 3s, "late"));
  made.paths[1]->said.found(
      one_finding(fault::foreign_answer, 1ms, one_line("<script>alert(1)</script> in a row\x1b[2J\xc2\x9b")));
  return made;
}

TEST(storm_report, fits_forty_columns) {
  const std::string text = render_text(two_paths(), 40, false);
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    EXPECT_LE(line.size(), 40U) << line;
    rest.remove_prefix(line.size() + 1);
  }
  EXPECT_LT(text.find("foreign_answer"), text.find("late in"));
  EXPECT_THAT(text, HasSubstr("A beside B"));
  EXPECT_THAT(text, Not(HasSubstr("secret")));
}

TEST(storm_report, json_can_be_read) {
  const std::string text = render_json(two_paths());
  EXPECT_THAT(text, Not(HasSubstr("very secret")));
  const auto read = nlohmann::json::parse(text);
  EXPECT_EQ(read["verdict"], "findings");
  EXPECT_EQ(read["paths"][1]["findings"][0]["fault"], "foreign_answer");
  EXPECT_EQ(read["paths"][1]["findings"][0]["answer"], "wrong");
  EXPECT_EQ(read["paths"][0]["answers"]["query"]["count"], 50);
  EXPECT_NEAR(read["paths"][0]["stages"]["query"]["p50"].get<double>(), 0.025, 0.0005);
  EXPECT_EQ(read["comparison"]["findings"]["b"], 2);
}

TEST(storm_report, a_page_needs_nothing_else_and_runs_nothing) {
  const std::string page = render_html(two_paths());
  for (const char* foreign :
       {"<script", "<link", "<img", "url(", "src=", "href=", "very secret", "\x1b", "\xc2\x9b"})
    EXPECT_THAT(page, Not(HasSubstr(foreign)));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(page, HasSubstr("a&lt;b&gt;"));
  EXPECT_THAT(render_svg(two_paths()), HasSubstr("</svg>"));
  EXPECT_THAT(render_svg(report{}), HasSubstr("</svg>"));
}

TEST(storm_report, kinds_and_examples_are_bounded) {
  finding_book book;
  for (int i = 0; i < 100; ++i)
    book.add(one_finding(fault::late, i * 1ms, std::to_string(i)));
  ASSERT_EQ(book.groups().size(), 1U);
  EXPECT_EQ(book.groups()[0].count, 100U);
  EXPECT_EQ(book.groups()[0].worst.size(), limits::storm_examples);
  EXPECT_EQ(book.groups()[0].worst[0].took, 99ms);
  for (int i = 0; i < 1'000; ++i) {
    finding one = one_finding(fault::server_error, 1ms, "");
    one.what.code = sqlstate(std::to_string(10'000 + i));
    book.add(std::move(one));
  }
  EXPECT_EQ(book.groups().size(), limits::storm_finding_groups);
  EXPECT_EQ(book.total(), 1'100U);
  EXPECT_EQ(book.beyond(), 1'001U - limits::storm_finding_groups);
}

TEST(storm_report, a_timeline_has_a_bounded_number_of_points) {
  timeline made(1h);
  for (int i = 0; i < 100'000; ++i)
    made.tick(i * 100ms, 1);
  EXPECT_LE(made.points().size(), limits::storm_points);
  EXPECT_GE(made.points().size(), 290U);
}

TEST(storm_report, the_progress_line_fits) {
  progress now;
  now.label = "A";
  now.elapsed = 12;
  now.total = 60;
  now.clients = 5'000;
  now.most_clients = 5'000;
  now.answers_per_second = 12'345;
  now.findings = 7;
  for (const std::size_t columns : {1U, 10U, 20U, 40U, 80U, 200U})
    EXPECT_LE(progress_line(now, columns).size(), columns);
  EXPECT_EQ(progress_line(now, 40), "A 12/60s  7 findings  p99 0us  12.3k/s");
}

TEST(storm_report, durations_are_short) {
  EXPECT_EQ(short_duration(999us), "999us");
  EXPECT_EQ(short_duration(1'250us), "1.25ms");
  EXPECT_EQ(short_duration(9'999us), "10.0ms");
  EXPECT_EQ(short_duration(999'900us), "1.0s");
  EXPECT_EQ(short_duration(1h), "3600s");
  EXPECT_EQ(short_count(9'999), "9999");
  EXPECT_EQ(short_count(1'234'567), "1.2M");
}

}  // namespace
}  // namespace trunkline::storm
