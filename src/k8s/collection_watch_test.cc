// The list-and-watch machine against everything an API server may answer.
#include "k8s/collection_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

/// What a sink has been told, by names.
class told_sink final : public object_sink {
 public:
  void replace(std::vector<json> all) override {
    ++lists;
    names.clear();
    for (const json& each : all)
      names.insert(name_of(each));
  }
  void put(const json& object) override { names.insert(name_of(object)); }
  void remove(const json& object) override { names.erase(name_of(object)); }
  void confirmed(moment) override {
    ++confirmations;
    problem.clear();
  }
  void failed(const std::string& why) override {
    ++failures;
    problem = why;
  }

  std::set<std::string> names;
  int lists = 0;
  int confirmations = 0;
  int failures = 0;
  std::string problem;
};

std::string object(const std::string& name, int version) {
  return R"({"metadata":{"name":")" + name + R"(","resourceVersion":")" + std::to_string(version) + R"("}})";
}

std::string page(int version, std::initializer_list<std::string> items, const std::string& more = "") {
  std::string all;
  for (const std::string& each : items)
    all += (all.empty() ? "" : ",") + each;
  return R"({"kind":"List","metadata":{"resourceVersion":")" + std::to_string(version) + R"(","continue":")" +
         more + R"("},"items":[)" + all + "]}";
}

std::string event(const char* type, const std::string& what) {
  return std::string(R"({"type":")") + type + R"(","object":)" + what + "}\n";
}

class CollectionWatch : public testing::Test {
 protected:
  std::string ask(double chance = 0) { return watch.ask(now, chance).target; }
  std::chrono::milliseconds over(http::exchange_end how = {.status = 200, .failure = {}}) {
    return watch.over(how, now, 0);
  }
  /// A whole answer.
  std::chrono::milliseconds answer(const std::string& body, long status = 200,
                                   std::chrono::seconds later = 0s) {
    if (watch.take(status, body, now)) return over({.status = status, .failure = {}, .retry_after = later});
    return over({.status = status, .failure = "is not read any further"});
  }
  void list_two() {
    ask();
    EXPECT_EQ(answer(page(10, {object("a", 3), object("b", 7)})), 0ms);
    EXPECT_THAT(ask(), HasSubstr("watch=true"));
  }

  told_sink told;
  collection_watch watch{{.path = "/apis/x/v1/things", .labels = "app in (a,b)"}, told};
  moment now{1000s};
};

TEST_F(CollectionWatch, ListsInPagesAndWatchesFromThere) {
  EXPECT_EQ(ask(), "/apis/x/v1/things?limit=250&labelSelector=app%20in%20%28a%2Cb%29");
  EXPECT_EQ(answer(page(10, {object("a", 3)}, "tok/1")), 0ms);
  EXPECT_EQ(told.lists, 0);
  EXPECT_THAT(ask(), HasSubstr("&continue=tok%2F1"));
  EXPECT_EQ(answer(page(10, {object("b", 4)})), 0ms);
  EXPECT_THAT(told.names, ElementsAre("a", "b"));
  const auto question = watch.ask(now, 0);
  EXPECT_THAT(question.target,
              StartsWith("/apis/x/v1/things?watch=true&allowWatchBookmarks=true&resourceVersion=10"
                         "&timeoutSeconds=240&labelSelector="));
  EXPECT_EQ(question.timeout, limits::k8s_watch_time + limits::k8s_watch_grace);
  EXPECT_EQ(watch.ask(now, 0.999).timeout, 121s + limits::k8s_watch_grace);
}

TEST_F(CollectionWatch, TellsEventsHoweverTheyAreCut) {
  const std::string all = event("ADDED", object("c", 11)) + event("DELETED", object("a", 12)) +
                          event("MODIFIED", object("b", 13)) + event("BOOKMARK", object("", 20));
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    told_sink mine;
    collection_watch one({.path = "/p"}, mine);
    (void)one.ask(now, 0);
    EXPECT_TRUE(one.take(200, page(10, {object("a", 3), object("b", 7)}), now));
    (void)one.over({.status = 200, .failure = {}}, now, 0);
    (void)one.ask(now, 0);
    ASSERT_TRUE(one.take(200, all.substr(0, cut), now) && one.take(200, all.substr(cut), now)) << cut;
    EXPECT_THAT(mine.names, ElementsAre("b", "c"));
    EXPECT_EQ(one.over({.status = 200, .failure = {}}, now + 1min, 0), 0ms);
    EXPECT_THAT(one.ask(now, 0).target, HasSubstr("resourceVersion=20&"));
  }
}

TEST_F(CollectionWatch, WhatIsGoneIsListedAgain) {
  list_two();
  now += 1min;
  EXPECT_EQ(answer(R"({"code":410})", 410), 0ms);
  EXPECT_EQ(told.failures, 0);
  EXPECT_THAT(ask(), HasSubstr("limit="));
  EXPECT_THAT(told.names, ElementsAre("a", "b"));
  EXPECT_EQ(answer(page(50, {object("b", 7)})), 0ms);
  EXPECT_EQ(told.lists, 2);
  EXPECT_THAT(told.names, ElementsAre("b"));
  // Once is nothing; over and over it is.
  ask();
  EXPECT_GT(answer(R"({"code":410})", 410), 0ms);
}

TEST_F(CollectionWatch, ThatItIsGoneMayBeAnEvent) {
  list_two();
  now += 1min;
  EXPECT_EQ(answer(event("ERROR", R"({"code":410,"message":"too old"})")), 0ms);
  EXPECT_EQ(told.failures, 0);
  EXPECT_THAT(ask(), HasSubstr("limit="));
  EXPECT_THAT(told.names, ElementsAre("a", "b"));
}

TEST_F(CollectionWatch, AListThatExpiresBeginsAgain) {
  ask();
  EXPECT_EQ(answer(page(10, {object("a", 3)}, "t")), 0ms);
  ask();
  EXPECT_EQ(answer("{}", 410), 0ms);
  EXPECT_THAT(ask(), Not(HasSubstr("continue")));
  answer(page(12, {object("b", 3)}));
  EXPECT_THAT(told.names, ElementsAre("b"));
}

TEST_F(CollectionWatch, FailuresKeepWhatIsKnownAndWaitLongerEachTime) {
  list_two();
  std::vector<std::chrono::milliseconds> waits;
  for (int i = 0; i < 9; ++i) {
    waits.push_back(over({.status = 0, .failure = "Connection refused"}));
    EXPECT_THAT(ask(), HasSubstr("resourceVersion=10&"));
  }
  EXPECT_THAT(waits, ElementsAre(250ms, 500ms, 1s, 2s, 4s, 8s, 15s, 15s, 15s));
  EXPECT_EQ(watch.over({.status = 0, .failure = "x"}, now, 1), 30s);
  EXPECT_THAT(told.problem, HasSubstr("x"));
  EXPECT_THAT(told.names, ElementsAre("a", "b"));
  ask();
  EXPECT_TRUE(watch.take(200, "", now));
  watch.tick(now + 1s);
  EXPECT_THAT(told.problem, Not(IsEmpty()));
  watch.tick(now + limits::k8s_watch_worked);
  EXPECT_THAT(told.problem, IsEmpty()) << "it goes on well";
  EXPECT_EQ(over({.status = 200, .failure = "cut"}), 250ms) << "and begins from the start";
}

TEST_F(CollectionWatch, RefusalsSayWhyAndWhen) {
  ask();
  EXPECT_EQ(answer(R"({"kind":"Status","message":"cannot list\nthings"})", 403), 250ms);
  EXPECT_THAT(told.problem, HasSubstr("status 403: cannot list things"));
  ask();
  EXPECT_EQ(answer("<html>", 429, 7s), 7s);
  EXPECT_THAT(told.problem, HasSubstr("status 429"));
  ask();
  EXPECT_EQ(answer("", 503, 3600s), 60s);
  ask();
  EXPECT_EQ(answer("", 302), 2s) << "there are no redirects";
}

TEST_F(CollectionWatch, AWatchThatIsRefusedForItsVersionIsListedAgain) {
  list_two();
  for (int i = 0; i < 2; ++i) {
    answer(R"({"message":"resourceVersion: Invalid value"})", 400);
    EXPECT_THAT(ask(), HasSubstr("watch=true"));
  }
  answer("{}", 400);
  EXPECT_THAT(ask(), HasSubstr("limit="));
}

TEST_F(CollectionWatch, NonsenseIsListedAgainLater) {
  const std::vector<std::string> bad = {
      "\x16\x03\x01\n",
      "[]\n",
      event("ADDED", "5"),
      event("WHATEVER", object("c", 30)),
      event("ADDED", R"({"metadata":{"name":"c"}})"),
      event("ADDED", R"({"metadata":{"resourceVersion":"30"}})"),
      event("ADDED", R"({"metadata":{"name":"c","resourceVersion":30}})"),
      event("ERROR", R"({"code":500,"message":"etcd is gone"})"),
      std::string(limits::k8s_event_bytes + 1, ' '),
  };
  for (const std::string& each : bad) {
    list_two();
    EXPECT_GT(answer(each), 0ms) << each.substr(0, 60);
    EXPECT_THAT(told.problem, Not(IsEmpty()));
    EXPECT_THAT(told.names, ElementsAre("a", "b"));
    EXPECT_THAT(ask(), HasSubstr("limit="));
  }
  for (const char* each :
       {"", "5", "{}", R"({"items":[]})", R"({"metadata":{"resourceVersion":"1"},"items":[{}]})",
        R"({"metadata":{"resourceVersion":"1","continue":"x"},"items":[]})"}) {
    EXPECT_GT(answer(each), 0ms) << each;
    EXPECT_THAT(ask(), HasSubstr("limit="));
    EXPECT_THAT(told.names, ElementsAre("a", "b"));
  }
}

TEST_F(CollectionWatch, VersionsThatGoBackAreNotBelieved) {
  list_two();
  EXPECT_TRUE(watch.take(200, event("ADDED", object("c", 12)), now));
  EXPECT_FALSE(watch.take(200, event("ADDED", object("d", 11)), now));
  EXPECT_GT(over({.status = 200, .failure = "is not read any further"}), 0ms);
  EXPECT_THAT(told.problem, HasSubstr("go back, from 12 to 11"));
  EXPECT_THAT(told.names, ElementsAre("a", "b", "c"));
  EXPECT_THAT(ask(), HasSubstr("limit="));
  // A list may be older than what was known: the API server's store was restored.
  EXPECT_EQ(answer(page(4, {object("a", 3)})), 0ms);
  EXPECT_THAT(ask(), HasSubstr("resourceVersion=4&"));
  // Those that are no numbers are not compared.
  EXPECT_TRUE(watch.take(200, event("ADDED", R"({"metadata":{"name":"z","resourceVersion":"abc"}})"), now));
  EXPECT_TRUE(watch.take(200, event("ADDED", object("y", 1)), now));
}

TEST_F(CollectionWatch, AWatchThatEndsAtOnceIsNotAskedForWithoutRest) {
  list_two();
  EXPECT_EQ(over(), 250ms);
  ask();
  EXPECT_TRUE(watch.take(200, event("BOOKMARK", object("", 11)), now));
  EXPECT_EQ(over(), 500ms) << "also where it says something first";
  ask();
  now += limits::k8s_watch_worked;
  EXPECT_EQ(over(), 0ms);
  EXPECT_EQ(told.failures, 0);
}

TEST_F(CollectionWatch, PagesThatAreTooLongAreHalved) {
  const std::string much(limits::k8s_page_bytes + 1, ' ');
  for (const char* next :
       {"limit=125", "limit=62", "limit=31", "limit=15", "limit=7", "limit=3", "limit=1"}) {
    ask();
    EXPECT_EQ(answer(much), 0ms);
    EXPECT_THAT(ask(), HasSubstr(next));
  }
  EXPECT_GT(answer(much), 0ms);
  EXPECT_THAT(told.problem, HasSubstr("an object is longer"));
}

TEST_F(CollectionWatch, AListHasAnEnd) {
  std::string many;
  for (std::size_t i = 0; i <= limits::k8s_objects; ++i)
    many += (many.empty() ? "" : ",") + object("o" + std::to_string(i), 1);
  ask();
  EXPECT_GT(answer(page(9, {many})), 0ms);
  EXPECT_THAT(told.problem, HasSubstr("more than 20000 objects"));
  EXPECT_EQ(told.lists, 0);
}

TEST_F(CollectionWatch, AnotherServerIsListedFromTheBeginning) {
  list_two();
  over({.status = 0, .failure = "x"});
  watch.forget();
  EXPECT_THAT(ask(), HasSubstr("limit="));
  EXPECT_THAT(told.names, ElementsAre("a", "b"));
  EXPECT_EQ(watch.give_up("no token", 0), 250ms);
  EXPECT_EQ(told.problem, "no token");
}

}  // namespace
}  // namespace trunkline::k8s
