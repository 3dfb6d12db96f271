#include <gtest/gtest.h>

#include "base/limits.h"
#include "pool/cluster.h"
#include "session/observer.h"

namespace trunkline::session {
namespace {

using namespace std::chrono_literals;
using routing::endpoint_state;
using routing::moment;
using routing::server_role;

const moment now = moment{} + 1h;

/// A cluster of one endpoint, which a test describes.
class UpstreamView : public testing::Test {
 protected:
  UpstreamView() {
    view->members.push_back(
        std::make_shared<pool::member>(1, "db-0:5432", config::address{.host = "db-0", .port = 5432}, 16));
    view->addresses.push_back({net::socket_address::ip("10.0.0.1", 5432).value(),
                               net::socket_address::ip("2001:db8::1", 5432).value()});
    view->known.endpoints.push_back({.id = 1, .name = "db-0:5432"});
  }
  upstream_view seen() {
    all.publish(view, true);
    return view_of(all, now);
  }

  pool::cluster all{"db"};
  std::shared_ptr<pool::cluster_view> view = std::make_shared<pool::cluster_view>();
};

TEST_F(UpstreamView, OfNothingYet) {
  const auto made = view_of(all, now);
  EXPECT_EQ(made.name, "db");
  EXPECT_EQ(made.primary, "");
  EXPECT_TRUE(made.endpoints.empty());
  EXPECT_FALSE(made.paused);
}

TEST_F(UpstreamView, WhatIsNotKnownIsLeftOut) {
  const auto made = seen();
  ASSERT_EQ(made.endpoints.size(), 1U);
  const endpoint_view& one = made.endpoints[0];
  EXPECT_EQ(one.state, "unknown");
  EXPECT_EQ(one.role, "unknown");
  EXPECT_EQ(one.addresses, "10.0.0.1:5432, [2001:db8::1]:5432");
  EXPECT_EQ(one.lag_seconds, std::nullopt);
  EXPECT_EQ(one.lag_bytes, std::nullopt);
  EXPECT_EQ(one.asked_seconds, std::nullopt);
  EXPECT_EQ(one.ejected_seconds, 0);
}

TEST_F(UpstreamView, WhatIsKnownIsTold) {
  routing::endpoint& one = view->known.endpoints[0];
  one.zone = "a";
  one.state = endpoint_state::up;
  one.role = server_role::primary;
  one.system_identifier = 7001;
  one.timeline = 3;
  one.version = 160'004;
  one.said = "hello";
  one.lag = 1500ms;
  one.lag_bytes = 0;
  one.since = now - 1min;
  one.asked = now - 500ms;
  view->known.generation = 8;
  view->known.discovery_problem = "silence";
  const auto feed = std::make_shared<pool::endpoint_feed>();
  all.set_feed(feed);
  EXPECT_FALSE(seen().discovery_age_seconds);
  feed->confirm(now - 90s);
  view->paused = true;
  all.count_discovery_failures(5);
  all.tell_gap(2500ms);
  for (int i = 0; i < limits::failures_until_ejection; ++i)
    (void)view->members[0]->failed(now, 0.5);
  const pool::lease session(view->members[0]);
  {
    pool::cluster::held waited(all, now);
    waited.over(now + 250ms);
  }
  const pool::cluster::held waits(all, now);

  const auto made = seen();
  EXPECT_EQ(made.generation, 8U);
  EXPECT_EQ(made.primary, "db-0:5432");
  EXPECT_TRUE(made.paused);
  EXPECT_EQ(made.discovery_problem, "silence");
  EXPECT_EQ(made.discovery_failures, 5U);
  EXPECT_EQ(made.discovery_age_seconds, 90.0);
  EXPECT_EQ(made.failovers, 1U);
  EXPECT_EQ(made.last_gap_seconds, 2.5);
  EXPECT_EQ(made.held, 1U);
  EXPECT_EQ(made.holds, 1U);
  EXPECT_EQ(made.held_seconds, 0.25);
  const endpoint_view& told = made.endpoints.at(0);
  EXPECT_EQ(told.name, "db-0:5432");
  EXPECT_EQ(told.zone, "a");
  EXPECT_EQ(told.state, "up");
  EXPECT_EQ(told.role, "primary");
  EXPECT_EQ(told.said, "hello");
  EXPECT_EQ(told.system_identifier, 7001U);
  EXPECT_EQ(told.timeline, 3U);
  EXPECT_EQ(told.version, 160'004);
  EXPECT_EQ(told.lag_seconds, 1.5);
  EXPECT_EQ(told.lag_bytes, 0U);
  EXPECT_EQ(told.since_seconds, 60);
  EXPECT_EQ(told.asked_seconds, 0.5);
  EXPECT_EQ(told.ejected_seconds, 1);
  EXPECT_EQ(told.sessions, 1U);
}

TEST_F(UpstreamView, OneThatLeavesSaysSo) {
  view->known.endpoints[0].state = endpoint_state::up;
  view->known.endpoints[0].role = server_role::primary;
  view->known.endpoints[0].leaving = true;
  const auto made = seen();
  EXPECT_EQ(made.endpoints.at(0).state, "leaving");
  EXPECT_EQ(made.endpoints.at(0).role, "primary");
  EXPECT_EQ(made.primary, "");
}

}  // namespace
}  // namespace trunkline::session
