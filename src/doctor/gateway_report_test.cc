#include "doctor/gateway_report.h"

#include <gmock/gmock.h>

namespace trunkline::doctor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

constexpr std::string_view sample = R"({"started":"2026-11-01T08:00:00Z","complete":true,"routes":[
 {"route":"app","upstream":"db","sessions":100,"open":7,
  "closes":[{"cause":"client_terminate","endedBy":"client","sessions":90},
            {"cause":"server_reset","endedBy":"server","sessions":5}],
  "legs":{"client":{"rttSeconds":{"samples":10,"mean":0.0002,"p50":0.00025,"p99":0.001},"retransmits":2,"idleBeforeDeath":[]},
          "server":{"rttSeconds":{"samples":10,"mean":0.0021,"p50":0.0025,"p99":0.005},"retransmits":17,
           "idleBeforeDeath":[{"above":345.0,"upTo":357.0,"sessions":4,"suspect":"AWS network load balancer"},
                              {"above":8020.0,"upTo":null,"sessions":1,"suspect":null}]}},
  "exchanges":{"count":5000,"seconds":{"gateway":{"sum":0.4,"p99":0.0001},"server":{"sum":80.5,"p99":1.0}}}},
 {"route":"other","upstream":"db","sessions":9,"open":0,
  "closes":[{"cause":"client_timeout","endedBy":"client","sessions":9}],
  "legs":{"client":{},"server":{}},"exchanges":{"count":0,"seconds":{}}}],
 "endpoints":[{"upstream":"db","endpoint":"10.0.0.7:5432","sessions":7,
   "rttSeconds":{"least":0.002,"median":0.0021,"most":0.003},"retransmits":3}]})";

constexpr std::string_view open_sessions = R"({"matching":2,"complete":true,"sessions":[
 {"id":1,"applicationName":"trunkline doctor 00","endpoint":null,"route":"app"},
 {"id":2,"applicationName":"trunkline doctor 00","endpoint":"10.0.0.7:5432","route":"app","upstream":"db",
  "client":"10.0.1.9:40000","tls":"TLSv1.3 TLS_AES_256_GCM_SHA384","serverTls":null,"local":"10.0.2.1:51000",
  "legs":{"client":{"rttSeconds":0.0003,"retransmits":0},"server":null},
  "pooled":{"mode":"transaction"}}]})";

TEST(gateway_report, reads_what_the_gateway_has_counted) {
  const auto seen = read_record(sample);
  ASSERT_TRUE(seen);
  ASSERT_EQ(seen->routes.size(), 2u);
  EXPECT_THAT(seen->routes[0].closes, ElementsAre(Pair("client_terminate", 90), Pair("server_reset", 5)));
  EXPECT_EQ(seen->routes[0].server.retransmits, 17u);
  EXPECT_EQ(seen->routes[0].server.deaths.size(), 2u);
  EXPECT_FALSE(seen->routes[0].server.deaths[1].up_to);
  EXPECT_EQ(seen->endpoints[0].retransmits, 3u);
}

TEST(gateway_report, finds_our_own_session_that_has_a_server) {
  const auto own = find_session(open_sessions, "trunkline doctor 00");
  ASSERT_TRUE(own);
  EXPECT_EQ(own->endpoint, "10.0.0.7:5432");
  EXPECT_EQ(own->pooling, "transaction");
  EXPECT_EQ(own->server_tls, "");
  EXPECT_EQ(own->client_trip, microseconds(300));
  EXPECT_FALSE(own->server_trip);
  EXPECT_FALSE(find_session(open_sessions, "trunkline doctor 01"));
}

TEST(gateway_report, a_death_is_on_one_leg_and_its_silence_names_the_timer) {
  const auto own = find_session(open_sessions, "trunkline doctor 00");
  const auto said = judge_gateway(*read_record(sample), std::nullopt, own);
  ASSERT_EQ(said.size(), 2u) << "our own way, and what died on our own route";
  EXPECT_THAT(said[0].summary, HasSubstr("route app to 10.0.0.7:5432"));
  EXPECT_EQ(said[1].is, verdict::finding);
  EXPECT_EQ(said[1].where, "between the gateway and the server");
  EXPECT_THAT(said[1].summary, HasSubstr("5 of 95 sessions"));
  EXPECT_THAT(said[1].explanation, HasSubstr("345 to 357 s: AWS network load balancer"));
  EXPECT_THAT(said[1].fix, HasSubstr("tcp.idle_timeout.seconds"));
  EXPECT_THAT(said[1].pathologies, ElementsAre("P01"));
}

TEST(gateway_report, all_routes_count_where_ours_is_not_known) {
  const auto said = judge_gateway(*read_record(sample), std::nullopt, std::nullopt);
  ASSERT_EQ(said.size(), 2u);
  EXPECT_THAT(said[1].pathologies, ElementsAre("P10"));
  EXPECT_EQ(said[1].where, "between the clients and the gateway");
}

TEST(gateway_report, clients_that_say_goodbye_are_no_finding) {
  const auto seen = read_record(
      R"({"routes":[{"route":"a","upstream":"b","closes":[{"cause":"client_eof","sessions":4}]}]})");
  ASSERT_TRUE(seen);
  EXPECT_EQ(worst_of(judge_gateway(*seen, std::nullopt, std::nullopt)), verdict::ok);
}

TEST(gateway_report, a_gateway_that_does_not_get_its_processor) {
  const auto at = [](int count) {
    return read_record(R"({"routes":[{"exchanges":{"count":)" + std::to_string(count) +
                       R"(,"seconds":{"gateway":{"sum":9,"p99":0.05}}}}]})");
  };
  const auto said = judge_gateway(*at(5000), std::nullopt, std::nullopt);
  ASSERT_EQ(said.size(), 1u);
  EXPECT_THAT(said[0].pathologies, ElementsAre("P52"));
  EXPECT_EQ(worst_of(judge_gateway(*at(50), std::nullopt, std::nullopt)), verdict::ok) << "too few";
}

TEST(gateway_report, slow_exchanges_are_told_by_where_their_time_went) {
  const auto slow = read_slow(
      R"({"slowest":[{"dominant":{"meaning":"the server worked"}},{"dominant":{"meaning":"the server worked"}}]})");
  ASSERT_TRUE(slow);
  const auto said = judge_gateway(*read_record(R"({"routes":[]})"), slow, std::nullopt);
  EXPECT_THAT(said[0].evidence, testing::Contains("2 of the 2 slowest exchanges: the server worked"));
}

TEST(gateway_report, nonsense_is_no_page) {
  for (const char* wrong : {"", "{", "[]", "7", "null", R"({"routes":7})", "\xff\xfe"}) {
    EXPECT_FALSE(read_record(wrong)) << wrong;
    EXPECT_FALSE(read_slow(wrong)) << wrong;
    EXPECT_FALSE(find_session(wrong, "a")) << wrong;
  }
  const auto odd = read_record(
      R"({"routes":[7,null,{"closes":7,"legs":[],"exchanges":{"seconds":[1]}},{"closes":["a",{"cause":1,"sessions":-1}]}],
          "endpoints":"x"})");
  ASSERT_TRUE(odd);
  EXPECT_EQ(worst_of(judge_gateway(*odd, std::nullopt, std::nullopt)), verdict::ok);
}

TEST(gateway_report, a_refusal_says_why) {
  EXPECT_EQ(refusal_of(403, R"({"error":{"message":"not from here"}})"), "status 403, not from here");
  EXPECT_EQ(refusal_of(502, "<html>"), "status 502");
}

}  // namespace
}  // namespace trunkline::doctor
