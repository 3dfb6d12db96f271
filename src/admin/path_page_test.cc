#include "admin/path_page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "admin/fake_observer.h"

namespace trunkline::admin {
namespace {

using namespace std::chrono_literals;
using telemetry::side;

nlohmann::json page_of(fake_observer& seen) {
  const auto got = path_page(seen, http_request{});
  EXPECT_EQ(got.status, 200);
  return nlohmann::json::parse(got.body);
}

std::size_t at(side leg) {
  return static_cast<std::size_t>(leg);
}

session::session_view session_at(std::string endpoint, double rtt, std::uint32_t retransmits) {
  session::session_view made;
  made.upstream = "db";
  made.endpoint = std::move(endpoint);
  made.server_leg = session::leg_view{.rtt_seconds = rtt, .retransmits = retransmits};
  return made;
}

TEST(PathPage, ShowsHowSessionsDiedAndAfterWhichSilence) {
  fake_observer seen;
  auto& one = *seen.route_list.front();
  one.sessions_begun.add(9);
  one.closes[static_cast<std::size_t>(telemetry::cause::server_reset)].add(3);
  one.closes[static_cast<std::size_t>(telemetry::cause::client_terminate)].add(5);
  for (int i = 0; i < 3; ++i)
    one.idle_before_death[at(side::server)].record(351s);
  one.idle_before_death[at(side::client)].record(std::chrono::hours(1'000));
  one.tcp_retransmits[at(side::server)].add(7);
  one.tcp_rtt[at(side::server)].record(2ms);
  const auto route = page_of(seen)["routes"][0];
  EXPECT_EQ(route["route"], "app");
  EXPECT_EQ(route["sessions"], 9);
  EXPECT_EQ(route["closes"].size(), 2u) << "only causes that were seen";
  EXPECT_EQ(route["closes"][1]["cause"], "server_reset");
  EXPECT_EQ(route["closes"][1]["endedBy"], "server");
  const auto server = route["legs"]["server"];
  ASSERT_EQ(server["idleBeforeDeath"].size(), 1u);
  EXPECT_EQ(server["idleBeforeDeath"][0]["above"], 345.0);
  EXPECT_EQ(server["idleBeforeDeath"][0]["upTo"], 357.0);
  EXPECT_EQ(server["idleBeforeDeath"][0]["sessions"], 3);
  EXPECT_NE(server["idleBeforeDeath"][0]["suspect"].get<std::string>().find("AWS"), std::string::npos);
  EXPECT_EQ(server["retransmits"], 7);
  EXPECT_DOUBLE_EQ(server["rttSeconds"]["mean"].get<double>(), 0.002);
  EXPECT_DOUBLE_EQ(server["rttSeconds"]["p99"].get<double>(), 0.0025);
  EXPECT_TRUE(route["legs"]["client"]["idleBeforeDeath"][0]["upTo"].is_null()) << "longer than every timer";
  EXPECT_TRUE(route["legs"]["client"]["rttSeconds"]["mean"].is_null());
}

TEST(PathPage, WorkersOfOneRouteAreOne) {
  fake_observer seen;
  seen.route_list.push_back(std::make_unique<telemetry::route_metrics>());
  seen.route_list.back()->route = "app";
  seen.route_list.back()->upstream = "db";
  for (auto& each : seen.route_list) {
    each->exchange_seconds[static_cast<std::size_t>(telemetry::phase::server)].record(500ms);
    each->exchange_seconds[static_cast<std::size_t>(telemetry::phase::gateway)].record(20us);
  }
  const auto page = page_of(seen);
  ASSERT_EQ(page["routes"].size(), 1u);
  EXPECT_EQ(page["routes"][0]["exchanges"]["count"], 2);
  EXPECT_DOUBLE_EQ(page["routes"][0]["exchanges"]["seconds"]["server"]["sum"].get<double>(), 1.0);
  EXPECT_DOUBLE_EQ(page["routes"][0]["exchanges"]["seconds"]["gateway"]["p99"].get<double>(), 0.00005);
}

TEST(PathPage, EndpointsAreOfTheSessionsThatAreOpen) {
  fake_observer seen;
  seen.session_list = {session_at("10.0.0.7:5432", 0.003, 1), session_at("10.0.0.7:5432", 0.001, 4),
                       session_at("10.0.0.8:5432", 0.1, 0), session_at("", 1, 1)};
  seen.session_list.push_back(session_at("unix:/run/.s.PGSQL.5432", 0, 0));
  seen.session_list.back().server_leg.reset();
  seen.complete = false;
  const auto page = page_of(seen);
  EXPECT_EQ(page["complete"], false);
  ASSERT_EQ(page["endpoints"].size(), 3u);
  EXPECT_EQ(page["endpoints"][0]["endpoint"], "10.0.0.7:5432");
  EXPECT_EQ(page["endpoints"][0]["sessions"], 2);
  EXPECT_EQ(page["endpoints"][0]["retransmits"], 5);
  EXPECT_DOUBLE_EQ(page["endpoints"][0]["rttSeconds"]["least"].get<double>(), 0.001);
  EXPECT_DOUBLE_EQ(page["endpoints"][0]["rttSeconds"]["most"].get<double>(), 0.003);
  EXPECT_TRUE(page["endpoints"][2]["rttSeconds"]["median"].is_null());
}

}  // namespace
}  // namespace trunkline::admin
