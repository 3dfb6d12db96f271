#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "doctor/comparison.h"
#include "doctor/findings.h"
#include "doctor/path_drawing.h"
#include "doctor/report_json.h"
#include "doctor/report_page.h"
#include "doctor/report_text.h"
#include "doctor/wrapped.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr check first{.id = "first", .title = "the first question"};
constexpr check second{.id = "second", .title = "the second question"};

judgement finding(std::string summary, severity weight) {
  return {.is = verdict::finding,
          .summary = std::move(summary),
          .evidence = {"seen <once>"},
          .weight = weight,
          .sure = confidence::hint,
          .where = "between this host and the server behind 10.0.0.1:5432",
          .explanation = "It is wrong for a reason that takes more than one line to tell.",
          .fix = "Change a field.",
          .pathologies = {"P43"}};
}

path_result path(std::string label, judgements of_first) {
  path_result made{.label = std::move(label), .target = "app@db:5432/app", .known = {}, .checks = {}};
  made.known.address = "10.0.0.1:5432";
  made.known.server_version = "18.1";
  made.known.syn = 180us;
  made.checks.push_back({&first, std::move(of_first), 12ms});
  made.checks.push_back({&second, {could_not_tell("there was no time")}, 0ms});
  return made;
}

report sample() {
  report made;
  made.took = 1500ms;
  made.paths.push_back(
      path("A", {finding("it is slow", severity::slow), finding("it is broken", severity::broken)}));
  return made;
}

TEST(verdict, a_finding_comes_before_what_could_not_be_told) {
  EXPECT_EQ(worst_of({fine("a"), could_not_tell("b")}), verdict::unknown);
  EXPECT_EQ(worst_of({could_not_tell("b"), finding("c", severity::slow)}), verdict::finding);
  EXPECT_EQ(worst_of({fine("a")}), verdict::ok);
  EXPECT_EQ(worst_of({}), verdict::unknown);
}

TEST(report, the_worst_comes_first) {
  const report of = sample();
  const auto all = findings_of(of);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all.front().what->summary, "it is broken");
  EXPECT_FALSE(of.clean());
}

TEST(report, what_could_not_be_told_is_no_finding) {
  report of;
  of.paths.push_back(path("A", {fine("well")}));
  EXPECT_TRUE(of.clean());
  of.interrupted = true;
  EXPECT_FALSE(of.clean());
}

TEST(report, text_fits_a_narrow_terminal) {
  for (const std::size_t columns : {40u, 80u, 132u}) {
    std::string text = render_text(sample(), columns, false);
    EXPECT_THAT(text, HasSubstr("Change a field."));
    while (!text.empty()) {
      const std::string line = text.substr(0, text.find('\n'));
      EXPECT_LE(width_of(line), columns) << line;
      text.erase(0, line.size() + 1);
    }
  }
}

TEST(report, colours_only_where_they_are_wanted) {
  EXPECT_THAT(render_text(sample(), 80, false), Not(HasSubstr("\x1b")));
  EXPECT_THAT(render_text(sample(), 80, true), HasSubstr("\x1b[31;1mbroken "));
}

TEST(report, no_terminal_obeys_what_a_server_says) {
  report of = sample();
  of.paths[0].checks[0].said[0].evidence.push_back("\x1b[2J\nall is well\xc2\x9b");
  const std::string text = render_text(of, 80, false);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\xc2\x9b")));
}

TEST(report, json_has_everything) {
  const auto made = nlohmann::json::parse(render_json(sample()));
  EXPECT_EQ(made["v"], 1);
  EXPECT_EQ(made["clean"], false);
  EXPECT_EQ(made["findings"][0]["summary"], "it is broken");
  EXPECT_EQ(made["findings"][0]["check"], "first");
  EXPECT_EQ(made["paths"][0]["checks"][1]["verdict"], "unknown");
  EXPECT_EQ(made["counts"]["unknown"], 1);
  EXPECT_DOUBLE_EQ(made["paths"][0]["facts"]["synSeconds"].get<double>(), 0.00018);
}

TEST(report, json_takes_whatever_a_server_says) {
  report of = sample();
  of.paths[0].checks[0].said[0].evidence.push_back("\xff\xfe \x01");
  EXPECT_TRUE(nlohmann::json::accept(render_json(of)));
}

TEST(report, the_page_escapes_what_it_shows) {
  const std::string page = render_page(sample());
  EXPECT_THAT(page, HasSubstr("seen &lt;once&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<once>")));
  EXPECT_THAT(page, HasSubstr("PostgreSQL 18.1"));
}

TEST(path_drawing, a_proxy_is_drawn_when_two_signals_agree) {
  facts known;
  known.address = "10.0.0.1:6432";
  known.server_seen_as = "10.0.0.9:5432";
  known.between = {"addresses"};
  EXPECT_EQ(hops_of(known).size(), 3u);
  EXPECT_THAT(middle_of(known), HasSubstr("between this host"));
  known.between.emplace_back("key");
  EXPECT_EQ(hops_of(known).size(), 5u);
  EXPECT_EQ(middle_of(known), "the proxy at 10.0.0.1:6432");
  known.mode = pooling::transaction;
  EXPECT_EQ(middle_of(known), "the pooler at 10.0.0.1:6432");
}

facts behind_a_trunkline() {
  facts known;
  known.address = "10.0.0.1:6432";
  known.server_version = "18.1";
  known.tls = {"TLSv1.3", "TLS_AES_256_GCM_SHA384", ""};
  known.gateway = gateway_session{.route = "app",
                                  .upstream = "db",
                                  .client = "10.0.0.77:1",
                                  .client_is = "10.0.0.5:1",
                                  .tls = "TLSv1.3 TLS_AES_256_GCM_SHA384",
                                  .local = "10.0.0.1:2",
                                  .seen_as = "10.0.0.1:2",
                                  .endpoint = "10.0.0.9:5432",
                                  .server_tls = "",
                                  .pooling = "transaction",
                                  .client_trip = 300us,
                                  .server_trip = 2100us};
  return known;
}

TEST(path_drawing, a_trunkline_that_was_asked_tells_of_both_legs) {
  EXPECT_THAT(hops_of(behind_a_trunkline()),
              testing::ElementsAre("this host", "| TLSv1.3, arrives as 10.0.0.77:1",
                                   "trunkline, route app, transaction pooling, 10.0.0.1:6432",
                                   "| plaintext, round trip 2.1 ms", "PostgreSQL 18.1, 10.0.0.9:5432"));
  EXPECT_EQ(middle_of(behind_a_trunkline()), "the trunkline at 10.0.0.1:6432");
}

TEST(path_drawing, names_of_any_length_stay_in_their_box) {
  facts known = behind_a_trunkline();
  known.gateway->route = "r\xc3\xb6" + std::string(200, 'x') + "<b>\xc3\xb6";
  const std::string drawn = draw_path(known);
  EXPECT_THAT(drawn, HasSubstr("..."));
  EXPECT_THAT(drawn, Not(HasSubstr(std::string(40, 'x'))));
  EXPECT_THAT(drawn, Not(HasSubstr("<b>")));
}

TEST(comparison, what_only_one_path_has_is_isolated) {
  std::vector<path_result> paths{path("A", {finding("lost", severity::broken)}), path("B", {fine("well")})};
  const judgements said = compare(paths);
  EXPECT_EQ(paths[0].checks[0].said[0].where, "what path A has and B has not");
  EXPECT_EQ(paths[0].checks[0].said[0].sure, confidence::certain);
  ASSERT_FALSE(said.empty());
  EXPECT_THAT(said[0].summary, HasSubstr("found on A, not on B"));
}

TEST(comparison, what_all_paths_have_or_could_not_tell_isolates_nothing) {
  std::vector<path_result> both{path("A", {finding("lost", severity::broken)}),
                                path("B", {finding("lost", severity::broken)})};
  (void)compare(both);
  EXPECT_EQ(both[0].checks[0].said[0].sure, confidence::hint);
  std::vector<path_result> unsure{path("A", {finding("lost", severity::broken)}),
                                  path("B", {could_not_tell("?")})};
  (void)compare(unsure);
  EXPECT_EQ(unsure[0].checks[0].said[0].sure, confidence::hint);
}

TEST(comparison, one_system_is_not_two) {
  std::vector<path_result> paths{path("A", {fine("well")}), path("B", {fine("well")})};
  paths[0].known.system_identifier = "1";
  paths[1].known.system_identifier = "2";
  const judgements said = compare(paths);
  EXPECT_EQ(worst_of(said), verdict::finding);
  paths[1].known.system_identifier = "1";
  EXPECT_NE(worst_of(compare(paths)), verdict::finding);
}

}  // namespace
}  // namespace trunkline::doctor
