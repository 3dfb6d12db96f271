#include "routing/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::routing {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

endpoint server(std::string name, server_role role, endpoint_state state = endpoint_state::up) {
  endpoint made{.id = 1, .name = std::move(name)};
  made.role = role;
  made.state = state;
  made.resolved = true;
  return made;
}

TEST(Topology, ThePrimaryIsOneThatIsUpAndStays) {
  topology seen;
  EXPECT_EQ(seen.primary(), nullptr);
  seen.endpoints = {server("a", server_role::replica),
                    server("b", server_role::primary, endpoint_state::down),
                    server("c", server_role::primary), server("d", server_role::superseded)};
  EXPECT_EQ(seen.primary(), &seen.endpoints[2]);
  seen.endpoints[2].leaving = true;
  EXPECT_EQ(seen.primary(), nullptr);
  seen.endpoints[1].state = endpoint_state::up;
  EXPECT_EQ(seen.primary(), &seen.endpoints[1]);
  seen.endpoints[1].state = endpoint_state::foreign;
  EXPECT_EQ(seen.primary(), nullptr);
}

TEST(Topology, WhereNobodyAsksThePrimaryIsWhoSaidSoAtALogin) {
  topology seen;
  seen.endpoints = {server("a", server_role::primary, endpoint_state::unknown)};
  EXPECT_EQ(seen.primary(), seen.endpoints.data());
  seen.probed = true;
  EXPECT_EQ(seen.primary(), nullptr);
}

TEST(Topology, IsSettledWhenEverybodyWasAskedOnce) {
  topology seen;
  seen.discovering = true;
  EXPECT_FALSE(seen.settled());
  seen.discovering = false;
  EXPECT_TRUE(seen.settled());
  seen.endpoints = {server("a", server_role::unknown, endpoint_state::unknown),
                    server("b", server_role::unknown, endpoint_state::down)};
  EXPECT_TRUE(seen.settled()) << "nobody asks them";
  seen.probed = true;
  EXPECT_FALSE(seen.settled());
  seen.endpoints[0].state = endpoint_state::up;
  EXPECT_TRUE(seen.settled());
  seen.endpoints[0].resolved = false;
  EXPECT_FALSE(seen.settled());
  seen.endpoints[0].leaving = true;
  EXPECT_TRUE(seen.settled());
}

TEST(Topology, SaysWhatIsKnownOfEach) {
  const moment now = moment{} + 1h;
  topology seen;
  EXPECT_EQ(describe(seen, now), "");
  seen.endpoints = {server("a:1", server_role::primary, endpoint_state::down),
                    server("b:1", server_role::replica),
                    server("c:1", server_role::unknown),
                    server("d:1", server_role::superseded),
                    server("e:1", server_role::primary, endpoint_state::foreign),
                    server("f:1", server_role::primary, endpoint_state::self),
                    server("g:1", server_role::primary)};
  seen.endpoints[0].since = now - 12s;
  seen.endpoints[0].said = "Connection refused";
  seen.endpoints[0].lag = 1s;  // of a server that is down nothing is worth telling but that
  seen.endpoints[1].lag = 1500ms;
  seen.endpoints[6].leaving = true;
  seen.discovery_problem = "the resolver is silent";
  EXPECT_EQ(
      describe(seen, now),
      "a:1 is down for 12.0 s (Connection refused); b:1 is a replica, 1.5 s behind; c:1 is of unknown role; "
      "d:1 is a primary that was left behind; e:1 is another cluster's; f:1 is this gateway itself; "
      "g:1 is leaving; the resolver is silent");
  seen.endpoints.clear();
  EXPECT_EQ(describe(seen, now), "the resolver is silent");
}

TEST(Topology, WhatItSaysOfManyIsShort) {
  topology seen;
  for (int i = 0; i < 8; ++i)
    seen.endpoints.push_back(server("db-" + std::to_string(i), server_role::replica));
  EXPECT_THAT(describe(seen, {}), testing::EndsWith("db-7 is a replica"));
  for (int i = 8; i < 256; ++i)
    seen.endpoints.push_back(server("db-" + std::to_string(i), server_role::replica));
  EXPECT_THAT(describe(seen, {}), testing::EndsWith("db-7 is a replica; and 248 more"));
}

TEST(Topology, EveryStateAndRoleHasAName) {
  for (const auto state : {endpoint_state::unknown, endpoint_state::up, endpoint_state::down,
                           endpoint_state::foreign, endpoint_state::self})
    EXPECT_STRNE(name_of(state), "?");
  for (const auto role :
       {server_role::unknown, server_role::primary, server_role::replica, server_role::superseded})
    EXPECT_STRNE(name_of(role), "?");
}

}  // namespace
}  // namespace trunkline::routing
