// Who has the Lease: two replicas and an API server between them, whose clocks agree on nothing.
#include "k8s/lease.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/limits_kubernetes.h"

namespace trunkline::k8s {
namespace {

using namespace std::chrono_literals;

class Leases : public testing::Test {
 protected:
  /// One Lease, with versions as an API server has them.
  api_answer serve(const api_question& what) {
    asked.push_back(what);
    if (down) return {.problem = "the API server: no route"};
    if (what.method == "GET") {
      if (stored.is_null()) return {.status = 404, .problem = "the API server answers 404"};
      return {.status = 200, .body = stored};
    }
    const bool is_new = what.method == "POST";
    const bool fits =
        is_new ? stored.is_null() : resource_version_of(what.body) == resource_version_of(stored);
    if (!fits) return {.status = 409, .problem = "the API server answers 409"};
    stored = what.body;
    stored["metadata"]["resourceVersion"] = std::to_string(++version);
    return {.status = is_new ? 201 : 200, .body = stored};
  }
  lease::asker asker() {
    return [this](api_question what, api_reply told) {
      if (!hanging) return told(serve(what));
      late.push_back([this, what = std::move(what), told = std::move(told)]() mutable { told(serve(what)); });
    };
  }
  std::string holder() const { return text_of(field_of(stored, "spec"), "holderIdentity"); }
  void pass(std::chrono::milliseconds time, std::initializer_list<lease*> who) {
    for (const auto end = now + time; now < end;) {
      now += 1s;
      for (lease* each : who)
        each->tick();
    }
  }

  telemetry::logger log{telemetry::log_format::text, telemetry::log_level::error};
  lease::moment now = std::chrono::steady_clock::now();
  json stored;
  int version = 100;
  bool down = false;
  bool hanging = false;
  std::deque<std::move_only_function<void()>> late;
  std::vector<api_question> asked;
  lease a{asker(), log, "a", [this] { return now; }};
  lease b{asker(), log, "b", [this] { return now; }};

  void SetUp() override {
    a.configure("gateways", "trunkline-main");
    b.configure("gateways", "trunkline-main");
  }
};

TEST_F(Leases, TheFirstHasIt) {
  a.tick();
  EXPECT_TRUE(a.is_held());
  EXPECT_EQ(asked.back().target, "/apis/coordination.k8s.io/v1/namespaces/gateways/leases");
  b.tick();
  EXPECT_FALSE(b.is_held());
  EXPECT_EQ(b.holder(), "a");
  const json& spec = stored["spec"];
  EXPECT_EQ(spec["leaseDurationSeconds"], 15);
  EXPECT_EQ(spec["leaseTransitions"], 0);
  pass(10min, {&a, &b});
  EXPECT_TRUE(a.is_held());
  EXPECT_FALSE(b.is_held());
}

TEST_F(Leases, WhoIsNotHeardOfForItsWholeTimeHasItNoMore) {
  a.tick();
  b.tick();
  pass(14s, {&b});
  EXPECT_EQ(holder(), "a");
  pass(4s, {&b});
  EXPECT_EQ(holder(), "b");
  EXPECT_TRUE(b.is_held());
  EXPECT_FALSE(a.is_held()) << "it knew before";
  EXPECT_EQ(stored["spec"]["leaseTransitions"], 1);
  a.tick();
  EXPECT_EQ(holder(), "b");
}

TEST_F(Leases, TimesThatOthersWriteAreNotBelieved) {
  a.tick();
  stored["spec"]["renewTime"] = "1999-01-01T00:00:00.000000Z";
  stored["metadata"]["resourceVersion"] = "999";
  version = 999;
  b.tick();
  EXPECT_EQ(holder(), "a") << "it was seen to change just now";
}

TEST_F(Leases, WhoCannotRenewItGivesUpBeforeOthersTakeIt) {
  a.tick();
  b.tick();
  down = true;
  pass(9s, {&a});
  EXPECT_TRUE(a.is_held());
  pass(1s, {&a});
  EXPECT_FALSE(a.is_held());
  down = false;
  pass(3s, {&a});
  EXPECT_TRUE(a.is_held()) << "it was still its own";
  EXPECT_EQ(stored["spec"]["leaseTransitions"], 0);
}

TEST_F(Leases, OfTwoWhoTryOneHasIt) {
  a.tick();
  b.tick();
  now += 20s;
  hanging = true;
  a.tick();
  b.tick();
  while (!late.empty()) {
    auto next = std::move(late.front());
    late.pop_front();
    next();
  }
  EXPECT_NE(a.is_held(), b.is_held());
  EXPECT_EQ(holder(), a.is_held() ? "a" : "b");
}

TEST_F(Leases, ALateAnswerCountsFromWhenItWasAskedFor) {
  hanging = true;
  a.tick();
  now += 9s;
  while (!late.empty()) {
    auto next = std::move(late.front());
    late.pop_front();
    next();
  }
  hanging = false;
  EXPECT_TRUE(a.is_held()) << "it was taken just now, after the question whether there is one";
  a.tick();
  hanging = true;
  now += 3s;
  a.tick();
  now += 11s;
  ASSERT_FALSE(late.empty());
  late.front()();
  EXPECT_FALSE(a.is_held());
}

TEST_F(Leases, ItIsGivenBackAtTheEnd) {
  a.tick();
  b.tick();
  a.release(1s);
  EXPECT_FALSE(a.is_held());
  EXPECT_EQ(holder(), "");
  pass(2s, {&a, &b});
  EXPECT_TRUE(b.is_held());
  b.release(1s);
  b.release(1s);
  EXPECT_EQ(holder(), "");
}

TEST_F(Leases, WhatSomebodyElseHasIsNotGivenBack) {
  a.tick();
  b.tick();
  const auto before = asked.size();
  b.release(1s);
  EXPECT_EQ(asked.size(), before);
  EXPECT_EQ(holder(), "a");
}

TEST_F(Leases, NonsenseIsNobodys) {
  stored = {{"metadata", {{"name", "trunkline-main"}, {"resourceVersion", "7"}}},
            {"spec", {{"holderIdentity", 5}, {"leaseDurationSeconds", "x"}, {"leaseTransitions", {}}}}};
  a.tick();
  EXPECT_TRUE(a.is_held());
}

TEST_F(Leases, ALeaseThatSaysForEverIsNotBelieved) {
  a.tick();
  stored["spec"]["leaseDurationSeconds"] = 2'000'000'000;
  b.tick();
  now += 2h;
  b.tick();
  EXPECT_TRUE(b.is_held());
}

TEST_F(Leases, IsNotAskedForWithoutAName) {
  a.configure("", "");
  a.tick();
  EXPECT_TRUE(asked.empty());
}

}  // namespace
}  // namespace trunkline::k8s
