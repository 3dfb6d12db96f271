// What objects are told of themselves, when, and when not.
#include "k8s/status_writer.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "base/limits_kubernetes.h"

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;
using config::object_kind;

constexpr const char* then = "2026-01-31T12:00:00Z";
constexpr const char* later = "2026-01-31T13:00:00Z";

object_fate fate(const std::string& name, bool accepted = true) {
  return {.kind = object_kind::route,
          .name_space = "shop",
          .name = name,
          .uid = "u-" + name,
          .generation = 3,
          .accepted = accepted,
          .reason = accepted ? "Accepted" : "Conflicted",
          .message = accepted ? "" : "another one has the same match",
          .programmed = accepted};
}

TEST(Conditions, AreWrittenOnceAndKeepTheirTime) {
  const json made = conditions_of(fate("a"), nullptr, then);
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0]["type"], "Accepted");
  EXPECT_EQ(made[0]["status"], "True");
  EXPECT_EQ(made[0]["observedGeneration"], 3);
  EXPECT_EQ(made[0]["lastTransitionTime"], then);
  EXPECT_EQ(made[1]["type"], "Programmed");
  EXPECT_TRUE(conditions_of(fate("a"), made, later).is_null());
}

TEST(Conditions, TheTimeChangesWithTheStatusOnly) {
  const json good = conditions_of(fate("a"), nullptr, then);
  object_fate newer = fate("a");
  newer.generation = 4;
  const json same = conditions_of(newer, good, later);
  EXPECT_EQ(same[0]["observedGeneration"], 4);
  EXPECT_EQ(same[0]["lastTransitionTime"], then);
  const json bad = conditions_of(fate("a", false), good, later);
  EXPECT_EQ(bad[0]["status"], "False");
  EXPECT_EQ(bad[0]["reason"], "Conflicted");
  EXPECT_EQ(bad[0]["lastTransitionTime"], later);
  EXPECT_EQ(bad[1]["status"], "False");
}

TEST(Conditions, OthersStay) {
  const json foreign = {{"type", "Audited"}, {"status", "True"}};
  const json made = conditions_of(fate("a"), json::array({foreign, 5, {{"type", 7}}}), then);
  ASSERT_EQ(made.size(), 5u);
  EXPECT_EQ(made[2], foreign);
  EXPECT_TRUE(conditions_of(fate("a"), made, later).is_null());
}

class Writer : public testing::Test {
 protected:
  void know(const std::string& name) {
    auto made = std::make_shared<known_object>();
    made->what.kind = object_kind::route;
    made->what.name_space = "shop";
    made->what.name = name;
    made->what.uid = "u-" + name;
    made->what.generation = 3;
    made->resource_version = std::to_string(++version);
    known[name] = std::move(made);
  }
  /// As the object's watch tells it: newer, perhaps with other conditions.
  void change(const std::string& name, const json& conditions) {
    auto made = std::make_shared<known_object>(*known.at(name));
    made->conditions = conditions;
    made->resource_version = std::to_string(++version);
    known[name] = std::move(made);
  }
  struct waiting {
    api_question what;
    api_reply told;
  };
  void answer(long status, bool watched = true) {
    ASSERT_FALSE(open.empty());
    auto one = std::move(open.front());
    open.pop_front();
    const std::string& path = one.what.target;
    const auto begin = path.find("postgresroutes/") + 15;
    if (status == 200 && watched)
      change(path.substr(begin, path.size() - begin - 7), one.what.body["status"]["conditions"]);
    one.told({.status = status, .problem = status == 200 ? "" : "the API server answers"});
  }
  void pump(bool leads = true) { writer.pump(leads); }

  telemetry::logger log{telemetry::log_format::text, telemetry::log_level::error};
  moment now = std::chrono::steady_clock::now();
  std::deque<waiting> open;
  std::vector<json> events;
  std::map<std::string, known_object_ptr> known;
  int version = 10;
  event_poster poster{[this](api_question what, api_reply) { events.push_back(std::move(what.body)); }, log};
  status_writer writer{
      [this](api_question what, api_reply told) { open.push_back({std::move(what), std::move(told)}); },
      [this](object_kind, const std::string&, const std::string& name) {
        const auto found = known.find(name);
        return found == known.end() ? nullptr : found->second;
      },
      poster, log, [this] { return now; }};
  void SetUp() override { poster.configure("main", "gateway-0"); }
};

TEST_F(Writer, WritesWhatDiffersOverTheVersionThatIsKnown) {
  know("a");
  writer.want({fate("a")});
  pump();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].what.method, "PATCH");
  EXPECT_EQ(open[0].what.type, merge_patch_type);
  EXPECT_EQ(open[0].what.target, "/apis/trunkline.dev/v1alpha1/namespaces/shop/postgresroutes/a/status");
  EXPECT_EQ(open[0].what.body["metadata"]["resourceVersion"], "11");
  answer(200);
  writer.want({fate("a")});
  pump();
  now += limits::k8s_status_look_again;
  pump();
  EXPECT_TRUE(open.empty()) << "it is there already";
  EXPECT_TRUE(events.empty()) << "that all is well is no news";
}

TEST_F(Writer, OnlyWhoLeadsWrites) {
  know("a");
  writer.want({fate("a")});
  pump(false);
  EXPECT_TRUE(open.empty());
  pump(true);
  EXPECT_EQ(open.size(), 1u);
  answer(200);
  change("a", nullptr);
  pump(false);
  pump(true);
  EXPECT_EQ(open.size(), 1u) << "whoever leads anew looks at everything";
}

TEST_F(Writer, AConflictWaitsForTheNewerOne) {
  know("a");
  writer.want({fate("a")});
  pump();
  answer(409);
  pump();
  EXPECT_TRUE(open.empty());
  change("a", nullptr);
  pump();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].what.body["metadata"]["resourceVersion"], "12");
}

TEST_F(Writer, TheAnswerMayComeBeforeItsWatchHasTold) {
  know("a");
  writer.want({fate("a")});
  pump();
  answer(200, false);
  for (int i = 0; i < 20; ++i) {
    now += 1s;
    pump();
  }
  EXPECT_TRUE(open.empty());
}

TEST_F(Writer, WhatChangesWhileItIsWrittenIsWrittenNext) {
  know("a");
  writer.want({fate("a")});
  pump();
  writer.want({fate("a", false)});
  pump();
  ASSERT_EQ(open.size(), 1u);
  answer(200);
  pump();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].what.body["status"]["conditions"][0]["status"], "False");
}

TEST_F(Writer, FailuresAreTriedAgainLaterAndLater) {
  know("a");
  writer.want({fate("a")});
  pump();
  int tries = 1;
  for (int second = 0; second < 120; ++second) {
    if (!open.empty()) answer(500);
    now += 1s;
    pump();
    tries += static_cast<int>(open.size());
  }
  EXPECT_GE(tries, 5);
  EXPECT_LE(tries, 9);
}

TEST_F(Writer, WhatSomebodyChangesBackIsLeftAlone) {
  know("a");
  writer.want({fate("a")});
  int writes = 0;
  for (int second = 0; second < 300; ++second) {
    pump();
    if (!open.empty()) {
      ++writes;
      answer(200);
      change("a", nullptr);
    }
    now += 1s;
  }
  EXPECT_EQ(writes, limits::k8s_status_repeats);
  object_fate newer = fate("a", false);
  writer.want({newer});
  pump();
  EXPECT_EQ(open.size(), 1u) << "something else is to be said";
}

TEST_F(Writer, AnObjectThatIsAnotherOneByNowIsNotTold) {
  know("a");
  object_fate old = fate("a");
  old.generation = 2;
  object_fate other = fate("b");
  know("b");
  other.uid = "u-before";
  writer.want({old, other, fate("gone")});
  pump();
  EXPECT_TRUE(open.empty());
}

TEST_F(Writer, ManyArePaced) {
  std::vector<object_fate> all;
  for (int i = 0; i < 200; ++i) {
    know("r" + std::to_string(i));
    all.push_back(fate("r" + std::to_string(i)));
  }
  writer.want(std::move(all));
  pump();
  EXPECT_EQ(open.size(), limits::k8s_status_under_way);
  int written = 0;
  for (; !open.empty(); ++written)
    answer(200);
  EXPECT_LE(written, limits::k8s_status_burst + 2);
  for (int tick = 0; tick < 12; ++tick) {
    now += 1s;
    pump();
    for (; !open.empty(); ++written)
      answer(200);
  }
  EXPECT_EQ(written, 200);
}

TEST_F(Writer, BadAndGoodAgainAreEvents) {
  know("a");
  writer.want({fate("a", false)});
  pump();
  EXPECT_TRUE(events.empty()) << "when it is told";
  answer(200);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0]["type"], "Warning");
  EXPECT_EQ(events[0]["reason"], "Conflicted");
  EXPECT_EQ(events[0]["regarding"]["uid"], "u-a");
  writer.want({fate("a")});
  pump();
  answer(200);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[1]["type"], "Normal");
  EXPECT_EQ(events[1]["reason"], "Accepted");
}

}  // namespace
}  // namespace trunkline::k8s
