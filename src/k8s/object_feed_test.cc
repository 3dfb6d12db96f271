// Which objects are known, and who is told when.
#include "k8s/object_feed.h"

#include <gtest/gtest.h>

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;
using config::object_kind;

json object(const std::string& name, const std::string& name_space, int generation = 1, int database = 1) {
  return {{"metadata",
           {{"name", name},
            {"namespace", name_space},
            {"uid", "u-" + name},
            {"generation", generation},
            {"creationTimestamp", "2026-01-31T12:00:00Z"},
            {"resourceVersion", "5"}}},
          {"spec", {{"upstream", "db"}, {"database", std::to_string(database)}}}};
}

class Feed : public testing::Test {
 protected:
  struct watched {
    collection of;
    std::shared_ptr<object_sink> sink;
    std::weak_ptr<const void> ticket;
  };
  object_sink& sink(const std::string& path) {
    for (auto each = watches.rbegin(); each != watches.rend(); ++each)
      if (each->of.path == path) return *each->sink;
    throw std::runtime_error("nobody watches " + path);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> made;
    for (const auto& each : feed.now())
      made.push_back(each->what.name_space + "/" + each->what.name);
    return made;
  }

  telemetry::logger log{telemetry::log_format::text, telemetry::log_level::error};
  std::vector<watched> watches;
  int changes = 0;
  object_feed feed{[this](collection of, std::shared_ptr<object_sink> sink) {
                     auto ticket = std::make_shared<int>();
                     watches.push_back({std::move(of), std::move(sink), ticket});
                     return ticket;
                   },
                   log, [this] { ++changes; }};
  const std::string routes = "/apis/trunkline.dev/v1alpha1/postgresroutes";
};

TEST_F(Feed, WatchesEachKindWhereItIsTold) {
  feed.configure(config::kubernetes_objects{.namespaces = {"a", "b"}, .labels = "team=x"}, "own");
  ASSERT_EQ(watches.size(), 6u);
  EXPECT_EQ(watches[0].of, (collection{.path = "/apis/trunkline.dev/v1alpha1/namespaces/a/postgresupstreams",
                                       .labels = "team=x"}));
  feed.configure(config::kubernetes_objects{.namespaces = {"a", "*"}}, "own");
  ASSERT_EQ(watches.size(), 9u);
  EXPECT_EQ(watches[8].of.path, "/apis/trunkline.dev/v1alpha1/accesspolicies");
  EXPECT_TRUE(watches[0].ticket.expired());
  feed.configure(config::kubernetes_objects{}, "own");
  EXPECT_EQ(watches.back().of.path, "/apis/trunkline.dev/v1alpha1/namespaces/own/accesspolicies");
  feed.configure(config::kubernetes_objects{}, "own");
  EXPECT_EQ(watches.size(), 12u) << "the same again";
  feed.configure(std::nullopt, "own");
  EXPECT_TRUE(watches.back().ticket.expired());
  EXPECT_TRUE(feed.states().empty());
}

TEST_F(Feed, TellsOnlyWhatWouldBeReadOtherwise) {
  feed.configure(config::kubernetes_objects{.namespaces = {"*"}}, "own");
  sink(routes).replace({object("a", "shop"), object("b", "shop")});
  EXPECT_EQ(changes, 1);
  json noted = object("a", "shop");
  noted["status"] = {{"conditions", {{{"type", "Accepted"}}}}};
  noted["metadata"]["resourceVersion"] = "9";
  sink(routes).put(noted);
  EXPECT_EQ(changes, 1) << "its status alone";
  const auto known = feed.find(object_kind::route, "shop", "a");
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->resource_version, "9");
  EXPECT_EQ(known->conditions.size(), 1u);
  EXPECT_EQ(known->what.created_seconds, 1'769'860'800);
  sink(routes).put(object("a", "shop", 2, 7));
  EXPECT_EQ(changes, 2);
  sink(routes).remove(object("b", "shop"));
  EXPECT_EQ(changes, 3);
  sink(routes).remove(object("b", "shop"));
  EXPECT_EQ(changes, 3);
  EXPECT_EQ(names(), std::vector<std::string>{"shop/a"});
}

TEST_F(Feed, AListIsAllThereIsOfItsOwn) {
  feed.configure(config::kubernetes_objects{.namespaces = {"a", "b"}}, "own");
  const auto in = [](const std::string& name_space) {
    return "/apis/trunkline.dev/v1alpha1/namespaces/" + name_space + "/postgresroutes";
  };
  sink(in("a")).replace({object("one", "a"), object("two", "a")});
  sink(in("b")).replace({object("one", "b")});
  sink(in("a")).replace({object("two", "a")});
  EXPECT_EQ(names(), (std::vector<std::string>{"a/two", "b/one"}));
  feed.configure(config::kubernetes_objects{.namespaces = {"b"}}, "own");
  EXPECT_EQ(names(), std::vector<std::string>{"b/one"});
}

TEST_F(Feed, FailuresTakeNothingAway) {
  feed.configure(config::kubernetes_objects{.namespaces = {"*"}}, "own");
  sink(routes).replace({object("a", "shop")});
  sink(routes).confirmed(std::chrono::steady_clock::now());
  sink(routes).failed(routes + ": status 404: not found");
  EXPECT_EQ(names(), std::vector<std::string>{"shop/a"});
  const auto states = feed.states();
  ASSERT_EQ(states.size(), 3u);
  EXPECT_EQ(states[1].objects, 1u);
  EXPECT_TRUE(states[1].confirmed);
  EXPECT_NE(states[1].problem, "");
  EXPECT_FALSE(states[0].confirmed);
  EXPECT_EQ(changes, 1);
}

TEST_F(Feed, WhoWaitsWaitsForAllAnswersGoodOrBad) {
  feed.configure(config::kubernetes_objects{.namespaces = {"*"}}, "own");
  EXPECT_FALSE(feed.wait_for_first(10ms));
  for (auto& each : watches)
    each.sink->failed("no");
  EXPECT_TRUE(feed.wait_for_first(1h));
}

TEST_F(Feed, WhatCannotBeReadIsKnownAsThat) {
  feed.configure(config::kubernetes_objects{.namespaces = {"*"}}, "own");
  json deep = 1;
  for (int i = 0; i < 100; ++i)
    deep = json::array({deep});
  json bad = object("a", "shop");
  bad["spec"] = deep;
  sink(routes).put(bad);
  sink(routes).put({{"metadata", {{"name", "b"}, {"generation", "x"}, {"creationTimestamp", 5}}}});
  ASSERT_EQ(feed.now().size(), 2u);
  EXPECT_EQ(feed.now()[0]->what.name, "b");
  EXPECT_NE(feed.now()[1]->unreadable, "");
}

TEST_F(Feed, AWatchThatIsOverTellsNobody) {
  feed.configure(config::kubernetes_objects{.namespaces = {"*"}}, "own");
  const auto old = watches[1].sink;
  feed.configure(std::nullopt, "own");
  changes = 0;
  old->put(object("a", "shop"));
  EXPECT_EQ(changes, 0);
}

}  // namespace
}  // namespace trunkline::k8s
