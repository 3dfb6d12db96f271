#include "pool/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "runtime/simulated_loop.h"
#include "runtime/task.h"

namespace trunkline::pool {
namespace {

using namespace std::chrono_literals;
using config::route_target;
using routing::endpoint_state;
using routing::moment;
using routing::server_role;
using testing::ElementsAre;

const moment now = moment{} + 1h;

/// A watched cluster of one primary, with id 1, and replicas.
std::shared_ptr<cluster_view> view_of(std::uint32_t servers) {
  auto made = std::make_shared<cluster_view>();
  made->known.probed = made->known.roles_are_watched = true;
  for (std::uint32_t id = 1; id <= servers; ++id) {
    const config::address address{.host = "db-" + std::to_string(id), .port = 5432};
    routing::endpoint one{.id = id, .name = address.text(), .address = address};
    one.state = endpoint_state::up;
    one.role = id == 1 ? server_role::primary : server_role::replica;
    one.resolved = true;
    made->known.endpoints.push_back(one);
    made->addresses.emplace_back();
    made->members.push_back(std::make_shared<member>(id, one.name, address, 16));
  }
  return made;
}

class Cluster : public testing::Test {
 protected:
  std::optional<cluster::choice> choose(route_target target, std::vector<routing::endpoint_id> tried = {}) {
    return all.choose({.target = target, .now = now, .random = {random_++, 7 * random_}}, tried);
  }

  cluster all{"db"};

 private:
  std::uint32_t random_ = 0;
};

TEST_F(Cluster, KnowsNothingBeforeTheWatchHasBegun) {
  ASSERT_NE(all.now(), nullptr);
  EXPECT_FALSE(all.now()->known.settled());
  EXPECT_FALSE(choose(route_target::any));
  EXPECT_EQ(all.name(), "db");
}

TEST_F(Cluster, AChoiceIsCountedUntilItIsLetGo) {
  const auto view = view_of(2);
  all.publish(view, true);
  {
    const auto one = choose(route_target::primary);
    ASSERT_TRUE(one);
    EXPECT_EQ(one->seen, view);
    EXPECT_EQ(one->index, 0U);
    EXPECT_EQ(one->lease.on(), view->members[0].get());
    const auto two = choose(route_target::primary);
    EXPECT_EQ(view->members[0]->sessions, 2U);
  }
  EXPECT_EQ(view->members[0]->sessions, 0U);
}

TEST_F(Cluster, ThoseWhoComeAtOnceAreSpread) {
  const auto view = view_of(5);
  all.publish(view, true);
  std::vector<std::thread> threads;
  std::array<std::vector<cluster::choice>, 4> choices;
  for (std::size_t t = 0; t < choices.size(); ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 100; ++i) {
        const auto random = static_cast<std::uint32_t>((i * 4 + t) * 2'654'435'761U);
        auto one = all.choose(
            {.target = route_target::replica, .now = now, .random = {random >> 7, random >> 16}}, {});
        choices.at(t).push_back(std::move(one.value()));
      }
    });
  }
  for (auto& each : threads)
    each.join();
  EXPECT_EQ(view->members[0]->sessions, 0U);
  std::uint32_t sum = 0;
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_LE(view->members[i]->sessions, 115U);
    sum += view->members[i]->sessions;
  }
  EXPECT_EQ(sum, 400U);
}

TEST_F(Cluster, WhoWasTriedOrRestsIsPassedOver) {
  const auto view = view_of(3);
  all.publish(view, true);
  EXPECT_EQ(choose(route_target::replica, {2})->index, 2U);
  EXPECT_FALSE(choose(route_target::replica, {2, 3}));
  for (int i = 0; i < limits::failures_until_ejection; ++i)
    (void)view->members[2]->failed(now, 0.5);
  for (int i = 0; i < 20; ++i)
    EXPECT_EQ(choose(route_target::replica)->index, 1U);
  EXPECT_EQ(choose(route_target::replica, {2})->index, 2U) << "the last resort";
}

TEST_F(Cluster, TheNewestViewCountsAndTheOldOneStaysWhole) {
  all.publish(view_of(1), true);
  auto before = choose(route_target::any);
  ASSERT_TRUE(before);
  all.publish(std::make_shared<cluster_view>(), true);
  EXPECT_FALSE(choose(route_target::any));
  EXPECT_EQ(before->seen->members[before->index]->sessions, 1U);
}

// ---- those who wait ----

struct waiter {
  waiter(cluster& of, runtime::loop& where)
      : changed(where), heard_of(of, where, changed), work(count(this)) {
    work.start([](void*) {}, nullptr);
  }
  static runtime::task<> count(waiter* self) {
    for (;;) {
      co_await self->changed.wait();
      ++self->heard;
    }
  }

  runtime::signal changed;
  cluster::subscription heard_of;
  int heard = 0;
  runtime::task<> work;
};

TEST_F(Cluster, WhoWaitsHearsOfChanges) {
  runtime::simulated_loop loop;
  waiter one(all, loop);
  std::thread([&] { all.publish(view_of(1), true); }).join();
  EXPECT_EQ(one.heard, 0) << "on its own loop only";
  loop.settle();
  EXPECT_EQ(one.heard, 1);
  all.publish(view_of(1), false);  // a position that has moved on
  loop.settle();
  EXPECT_EQ(one.heard, 1);
  {
    const waiter two(all, loop);
    all.publish(view_of(2), true);
  }
  loop.settle();
  EXPECT_EQ(one.heard, 2);
  all.publish(view_of(3), true);
  loop.settle();
  EXPECT_EQ(one.heard, 3);
}

TEST_F(Cluster, CountsWhoWaitsAndForHowLong) {
  {
    cluster::held one(all, now);
    const cluster::held two(all, now);
    EXPECT_EQ(all.held_now(), 2U);
    EXPECT_EQ(all.holds(), 0U);
    one.over(now + 1500ms);
  }
  EXPECT_EQ(all.held_now(), 0U);
  EXPECT_EQ(all.holds(), 2U);
  EXPECT_EQ(all.held_us(), 1'500'000U);
}

TEST_F(Cluster, RemembersTheLastGap) {
  all.tell_gap(3s);
  all.tell_gap(1250ms);
  EXPECT_EQ(all.gaps(), 2U);
  EXPECT_EQ(all.last_gap_us(), 1'250'000U);
  all.count_discovery_failures(7);
  EXPECT_EQ(all.discovery_failures(), 7U);
}

// ---- what sessions tell ----

class Told : public Cluster, public cluster_listener {
 protected:
  ~Told() override { all.set_listener(nullptr); }
  void suspected(routing::endpoint_id which) override {
    heard.push_back("suspected " + std::to_string(which));
  }
  void role_seen(routing::endpoint_id which, bool in_recovery) override {
    heard.push_back((in_recovery ? "replica " : "primary ") + std::to_string(which));
  }
  void wanted() override { heard.emplace_back("wanted"); }

  std::vector<std::string> heard;
};

TEST_F(Told, WithoutAListenerNothingHappens) {
  all.suspect(1);
  all.tell_role(1, true);
  const cluster::held waits(all, now);
  all.set_listener(this);
  all.set_listener(nullptr);
  all.suspect(1);
  EXPECT_THAT(heard, ElementsAre());
}

TEST_F(Told, HearsOfFailuresAndOfThoseWhoWait) {
  all.set_listener(this);
  all.suspect(3);
  const cluster::held waits(all, now);
  EXPECT_THAT(heard, ElementsAre("suspected 3", "wanted"));
}

TEST_F(Told, HearsOnlyOfRolesThatAreNews) {
  const auto view = view_of(4);
  view->known.endpoints[2].role = server_role::superseded;
  view->known.endpoints[3].role = server_role::unknown;
  all.publish(view, true);
  all.set_listener(this);
  all.tell_role(1, false);
  all.tell_role(2, true);
  all.tell_role(3, false);  // it says so, and the others know better
  EXPECT_THAT(heard, ElementsAre());
  all.tell_role(1, true);
  all.tell_role(2, false);
  all.tell_role(3, true);
  all.tell_role(4, false);
  all.tell_role(9, true);  // it has gone; the listener will not find it
  EXPECT_THAT(heard, ElementsAre("replica 1", "primary 2", "replica 3", "primary 4", "replica 9"));
}

}  // namespace
}  // namespace trunkline::pool
