#include "doctor/gateway_metrics.h"

#include <gmock/gmock.h>

namespace trunkline::doctor {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr std::string_view sample = R"(# HELP trunkline_session_closes_total Client sessions that ended.
# TYPE trunkline_session_closes counter
trunkline_session_closes_total{route="app",upstream="db",cause="client_terminate"} 90
trunkline_session_closes_total{route="other",upstream="db",cause="client_terminate"} 5
trunkline_session_closes_total{route="app",upstream="db",cause="server_timeout"} 3
trunkline_tcp_retransmits_total{route="app",upstream="db",leg="server"} 17
trunkline_exchange_seconds_sum{route="app",upstream="db",phase="network"} 1.5
trunkline_exchange_seconds_bucket{route="app",upstream="db",phase="network",le="1"} 4
)";

TEST(gateway_metrics, are_summed_over_routes) {
  const auto seen = read_metrics(sample);
  EXPECT_THAT(seen.closes, ElementsAre(Pair("client_terminate", 95), Pair("server_timeout", 3)));
  EXPECT_THAT(seen.retransmits, ElementsAre(Pair("server", 17)));
  EXPECT_THAT(seen.phases, ElementsAre(Pair("network", 1.5)));
}

TEST(gateway_metrics, a_death_is_on_one_leg) {
  const auto said = judge_gateway(read_metrics(sample));
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].is, verdict::finding);
  EXPECT_EQ(said[0].where, "between the gateway and the server");
  EXPECT_THAT(said[0].pathologies, ElementsAre("P10"));
}

TEST(gateway_metrics, clients_that_say_goodbye_are_no_finding) {
  const auto said = judge_gateway(read_metrics("trunkline_session_closes_total{cause=\"client_eof\"} 4\n"));
  EXPECT_EQ(worst_of(said), verdict::ok);
}

TEST(gateway_metrics, nonsense_is_passed_over) {
  const auto seen = read_metrics(
      "trunkline_session_closes_total{cause=\"a\"} many\n\n}} \ntrunkline_session_closes_total{");
  EXPECT_TRUE(seen.closes.empty());
  EXPECT_TRUE(read_metrics("").phases.empty());
}

}  // namespace
}  // namespace trunkline::doctor
