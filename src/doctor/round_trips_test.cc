#include <gtest/gtest.h>

#include "doctor/checks.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

TEST(round_trips, a_proxy_on_this_node_answers_much_sooner_than_the_server) {
  EXPECT_TRUE(is_answered_nearby(40us, 1500us, 1200us));
}

TEST(round_trips, the_server_itself_takes_a_fork_more) {
  // SSLRequest waits for a fork; queries do not.
  EXPECT_FALSE(is_answered_nearby(60us, 1800us, 220us));
  EXPECT_FALSE(is_answered_nearby(500us, 2500us, 620us));
}

TEST(round_trips, a_slow_network_is_no_proxy) {
  EXPECT_FALSE(is_answered_nearby(20ms, 41ms, 21ms));
}

TEST(round_trips, without_ssl_request_queries_decide) {
  EXPECT_TRUE(is_answered_nearby(40us, std::nullopt, 1200us));
  EXPECT_FALSE(is_answered_nearby(40us, std::nullopt, 300us));
}

}  // namespace
}  // namespace trunkline::doctor
