// What is planned before anything is sent: the profile of a run, and who does what.
#include <gmock/gmock.h>

#include <map>

#include "storm/profile.h"
#include "storm/workload.h"

namespace trunkline::storm {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(profile, steady_is_all_the_time) {
  for (const auto when : {0s, 5s, 10s})
    EXPECT_EQ(clients_at(profile::steady, 80, when, 10s), 80U);
}

TEST(profile, ramp_grows_and_then_stays) {
  EXPECT_EQ(clients_at(profile::ramp, 101, 0s, 10s), 1U);
  EXPECT_EQ(clients_at(profile::ramp, 101, 4s, 10s), 51U);
  EXPECT_EQ(clients_at(profile::ramp, 101, 8s, 10s), 101U);
  EXPECT_EQ(clients_at(profile::ramp, 101, 10s, 10s), 101U);
  EXPECT_EQ(clients_at(profile::ramp, 1, 4s, 10s), 1U);
}

TEST(profile, spike_is_high_in_the_middle_third) {
  EXPECT_EQ(clients_at(profile::spike, 100, 1s, 9s), 10U);
  EXPECT_EQ(clients_at(profile::spike, 100, 4s, 9s), 100U);
  EXPECT_EQ(clients_at(profile::spike, 100, 7s, 9s), 10U);
  EXPECT_EQ(clients_at(profile::spike, 3, 0s, 9s), 1U);
}

TEST(workloads, shares_are_kept_and_spread) {
  const auto mix = parse_workloads("query=3,copy,idle=0");
  ASSERT_TRUE(mix.has_value()) << mix.error();
  std::map<workload, int> seen;
  for (std::size_t client = 0; client < 400; ++client)
    ++seen[mix->of_client(client)];
  EXPECT_EQ(seen, (std::map<workload, int>{{workload::query, 300}, {workload::copy, 100}}));
}

TEST(workloads, the_first_clients_do_everything) {
  const auto mix = workload_mix::usual();
  std::map<workload, int> seen;
  for (std::size_t client = 0; client < 20; ++client)
    ++seen[mix.of_client(client)];
  EXPECT_EQ(seen.size(), workload_count);
}

TEST(workloads, nonsense_is_refused) {
  EXPECT_THAT(parse_workloads("query,sing").error(), HasSubstr("\"sing\" is none of login, query"));
  EXPECT_THAT(parse_workloads("query=x").error(), HasSubstr("no number"));
  EXPECT_THAT(parse_workloads("query=1001").error(), HasSubstr("no number"));
  EXPECT_THAT(parse_workloads("query=0").error(), HasSubstr("no workload"));
}

}  // namespace
}  // namespace trunkline::storm
