// Events: what is posted, what is not posted again, and that failures matter to nobody.
#include "k8s/event_poster.h"

#include <gtest/gtest.h>

#include <regex>
#include <vector>

#include "base/limits_kubernetes.h"
#include "k8s/times.h"

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;

class Events : public testing::Test {
 protected:
  Events() { poster.configure("main", "gateway-0"); }

  static event_note note(const std::string& text, const std::string& name = "db") {
    return {.about = {.api_version = "trunkline.dev/v1alpha1",
                      .kind = "PostgresRoute",
                      .name_space = "shop",
                      .name = name,
                      .uid = "u-1"},
            .warning = true,
            .reason = "Conflicted",
            .action = "Accept",
            .text = text};
  }
  void answer_all(long status) {
    for (auto& each : std::exchange(replies, {}))
      each({.status = status, .problem = status < 300 ? "" : "the API server answers 403"});
  }

  telemetry::logger log{telemetry::log_format::text, telemetry::log_level::error};
  std::vector<api_question> asked;
  std::vector<api_reply> replies;
  event_poster poster{[this](api_question what, api_reply told) {
                        asked.push_back(std::move(what));
                        replies.push_back(std::move(told));
                      },
                      log};
  event_poster::moment now = std::chrono::steady_clock::now();
};

TEST_F(Events, AreWhatTheApiTakes) {
  poster.post(note("two routes want the same"), now);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].method, "POST");
  EXPECT_EQ(asked[0].target, "/apis/events.k8s.io/v1/namespaces/shop/events");
  const json& body = asked[0].body;
  EXPECT_EQ(body["type"], "Warning");
  EXPECT_EQ(body["reason"], "Conflicted");
  EXPECT_EQ(body["action"], "Accept");
  EXPECT_EQ(body["note"], "two routes want the same");
  EXPECT_EQ(body["reportingController"], "trunkline.dev/main");
  EXPECT_EQ(body["reportingInstance"], "gateway-0");
  EXPECT_EQ(body["regarding"]["uid"], "u-1");
  EXPECT_EQ(body["regarding"]["namespace"], body["metadata"]["namespace"]);
  const std::regex time("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z");
  EXPECT_TRUE(std::regex_match(body["eventTime"].get<std::string>(), time)) << body["eventTime"];
  EXPECT_TRUE(std::regex_match(body["metadata"]["name"].get<std::string>(), std::regex("db\\.[0-9a-f]{16}")));
}

TEST_F(Events, WhatIsTooLongIsCutBetweenCharacters) {
  std::string text(1'023, 'x');
  poster.post(note(text + "\xC3\xA9 and more", std::string(253, 'n')), now);
  EXPECT_EQ(asked.at(0).body["note"], text);
  EXPECT_EQ(asked[0].body["metadata"]["name"].get<std::string>().size(), 253u);
}

TEST_F(Events, TheSameIsNotPostedAgainForAWhile) {
  poster.post(note("a"), now);
  poster.post(note("a"), now + limits::k8s_event_again - 1ms);
  EXPECT_EQ(asked.size(), 1u);
  poster.post(note("b"), now + 1s);
  poster.post(note("a", "other"), now + 1s);
  EXPECT_EQ(asked.size(), 3u) << "another text, another object";
  poster.post(note("a"), now + limits::k8s_event_again);
  EXPECT_EQ(asked.size(), 4u);
}

TEST_F(Events, ThereAreNotTooMany) {
  for (int i = 0; i < 3 * limits::k8s_event_burst; ++i) {
    poster.post(note(std::to_string(i)), now);
    answer_all(201);
  }
  EXPECT_EQ(asked.size(), static_cast<std::size_t>(limits::k8s_event_burst));
  now += 2 * limits::k8s_event_gap;
  for (int i = 0; i < 5; ++i)
    poster.post(note("more" + std::to_string(i)), now);
  EXPECT_EQ(asked.size(), limits::k8s_event_burst + 2u);
}

TEST_F(Events, AnApiServerThatHangsKeepsNoneWaiting) {
  for (std::size_t i = 0; i < limits::k8s_events_under_way + 5; ++i)
    poster.post(note(std::to_string(i)), now);
  EXPECT_EQ(asked.size(), limits::k8s_events_under_way);
  answer_all(0);
  poster.post(note("later"), now);
  EXPECT_EQ(asked.size(), limits::k8s_events_under_way + 1);
}

TEST_F(Events, FailuresMatterToNobody) {
  for (int i = 0; i < 3; ++i) {
    poster.post(note(std::to_string(i)), now);
    answer_all(403);
  }
  poster.post(note("well"), now);
  answer_all(201);
  EXPECT_EQ(asked.size(), 4u);
}

TEST_F(Events, AnAnswerMayComeWhenThePosterIsGone) {
  std::vector<api_reply> kept;
  {
    event_poster brief([&](api_question, api_reply told) { kept.push_back(std::move(told)); }, log);
    brief.configure("main", "gateway-0");
    brief.post(note("a"), now);
  }
  ASSERT_EQ(kept.size(), 1u);
  kept[0]({.status = 201});
}

TEST_F(Events, NobodyPostsWithoutAName) {
  poster.configure("", "gateway-0");
  poster.post(note("a"), now);
  EXPECT_TRUE(asked.empty());
}

TEST(Times, AreUtcToTheSecondOrTheMicrosecond) {
  const auto when = std::chrono::system_clock::from_time_t(1'769'860'800) + 1'234us;
  EXPECT_EQ(time_of(when), "2026-01-31T12:00:00Z");
  EXPECT_EQ(micro_time_of(when), "2026-01-31T12:00:00.001234Z");
  EXPECT_EQ(seconds_of_time("2026-01-31T12:00:00Z"), 1'769'860'800);
  EXPECT_EQ(seconds_of_time("2026-01-31T12:00:00"), 0);
  EXPECT_EQ(seconds_of_time(""), 0);
}

}  // namespace
}  // namespace trunkline::k8s
