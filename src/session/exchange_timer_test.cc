#include "session/exchange_timer.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/limits.h"

namespace trunkline::session {
namespace {

using namespace std::chrono_literals;
using telemetry::exchange_facts;
using telemetry::exchange_kind;
using telemetry::outcome;
using telemetry::phase;

constexpr exchange_timer::nanoseconds no_rtt{0};

class ExchangeTimer : public ::testing::Test {
 protected:
  using milliseconds = std::chrono::milliseconds;

  static exchange_timer::time_point at(milliseconds when) { return exchange_timer::time_point(1h + when); }
  /// A request of one chunk, sent at once.
  void ask(milliseconds when, std::uint64_t number) {
    timer.request(at(when), number, exchange_kind::simple, true);
    timer.request_bytes(at(when), 20, no_rtt);
    timer.sent(at(when));
  }
  void answer(milliseconds when, std::size_t bytes = 100) { timer.answer_bytes(at(when), at(when), bytes); }
  std::vector<exchange_facts> deliver(milliseconds when) {
    std::vector<exchange_facts> all;
    timer.delivered(at(when), [&](const exchange_facts& each) { all.push_back(each); });
    return all;
  }

  exchange_timer timer;
};

TEST_F(ExchangeTimer, one_exchange) {
  timer.request(at(0ms), 1, exchange_kind::simple, true);
  timer.request_bytes(at(0ms), 20, no_rtt);
  timer.sent(at(3ms));
  answer(103ms);
  answer(110ms);
  timer.ready(1, 'T', 10ms);
  const auto all = deliver(112ms);
  ASSERT_EQ(all.size(), 1u);
  const exchange_facts& facts = all.front();
  EXPECT_EQ(facts.at(phase::gateway), 5ms);
  EXPECT_EQ(facts.at(phase::network), 10ms);
  EXPECT_EQ(facts.at(phase::server), 90ms);
  EXPECT_EQ(facts.at(phase::transfer), 7ms);
  EXPECT_EQ(facts.at(phase::client_stall), 0ms);
  EXPECT_EQ(facts.total, 112ms);
  EXPECT_EQ(facts.bytes_in, 20u);
  EXPECT_EQ(facts.bytes_out, 200u);
  EXPECT_EQ(facts.transaction_status, 'T');
  EXPECT_EQ(facts.how, outcome::ok);
  EXPECT_TRUE(timer.at_rest());
}

TEST_F(ExchangeTimer, a_quick_server_is_not_slower_than_its_network) {
  ask(0ms, 1);
  answer(2ms);
  timer.ready(1, 'I', 10ms);
  const auto all = deliver(2ms);
  EXPECT_EQ(all.front().at(phase::network), 2ms);
  EXPECT_EQ(all.front().at(phase::server), 0ms);
}

TEST_F(ExchangeTimer, a_delivery_that_is_late_is_the_gateways_but_for_the_clients_stall) {
  ask(0ms, 1);
  answer(10ms);
  timer.ready(1, 'I', no_rtt);
  timer.client_stalls(at(12ms));
  timer.client_takes(at(32ms));
  const auto all = deliver(35ms);
  EXPECT_EQ(all.front().at(phase::client_stall), 20ms);
  EXPECT_EQ(all.front().at(phase::gateway), 5ms);
  EXPECT_EQ(all.front().total, 35ms);
}

TEST_F(ExchangeTimer, a_stall_that_began_before_the_last_of_the_answer_is_not_told_twice) {
  ask(0ms, 1);
  answer(10ms);
  timer.client_stalls(at(11ms));
  answer(40ms);
  timer.ready(1, 'I', no_rtt);
  timer.client_takes(at(50ms));
  const auto all = deliver(50ms);
  EXPECT_EQ(all.front().at(phase::client_stall), 39ms);
  EXPECT_EQ(all.front().at(phase::transfer), 30ms);
  EXPECT_EQ(all.front().at(phase::gateway), 0ms);
}

TEST_F(ExchangeTimer, a_request_that_comes_slowly_is_the_clients) {
  timer.request(at(0ms), 1, exchange_kind::simple, true);
  for (const auto when : {0ms, 40ms, 100ms})
    timer.request_bytes(at(when), 1000, no_rtt);
  timer.sent(at(101ms));
  answer(121ms);
  timer.ready(1, 'I', no_rtt);
  const auto all = deliver(121ms);
  EXPECT_EQ(all.front().at(phase::client_upload), 100ms);
  EXPECT_EQ(all.front().at(phase::gateway), 1ms);
  EXPECT_EQ(all.front().at(phase::server), 20ms);
  EXPECT_EQ(all.front().bytes_in, 3000u);
}

TEST_F(ExchangeTimer, a_server_that_takes_nothing_is_the_servers) {
  timer.request(at(0ms), 1, exchange_kind::simple, true);
  timer.request_bytes(at(0ms), 1000, no_rtt);
  timer.server_stalls(at(0ms));
  timer.server_takes(at(300ms));
  timer.request_bytes(at(300ms), 1000, no_rtt);  // it had not been read meanwhile
  timer.sent(at(301ms));
  answer(311ms);
  timer.ready(1, 'I', no_rtt);
  const auto all = deliver(311ms);
  EXPECT_EQ(all.front().at(phase::server), 310ms);
  EXPECT_EQ(all.front().at(phase::client_upload), 0ms);
  EXPECT_EQ(all.front().at(phase::gateway), 1ms);
}

TEST_F(ExchangeTimer, a_wait_for_a_server_connection_is_no_slow_exchange) {
  timer.request(at(0ms), 1, exchange_kind::extended, false);
  timer.request_bytes(at(0ms), 100, no_rtt);  // Parse, Flush
  timer.server_stalls(at(0ms));
  timer.lease_taken(at(300ms));
  timer.sent(at(300ms));
  EXPECT_EQ(timer.busy(at(305ms)), 5ms);
  answer(305ms);
  timer.request(at(310ms), 2, exchange_kind::extended, true);
  timer.request_bytes(at(310ms), 100, no_rtt);  // the wait is settled with the first answer
  timer.sent(at(310ms));
  EXPECT_EQ(timer.busy(at(315ms)), 15ms);
  answer(315ms);
  timer.ready(2, 'I', no_rtt);
  const auto all = deliver(315ms);
  EXPECT_EQ(all.front().at(phase::wait), 300ms);
  EXPECT_EQ(all.front().at(phase::server), 10ms);
}

TEST_F(ExchangeTimer, a_client_that_takes_nothing) {
  ask(0ms, 1);
  answer(10ms);
  timer.client_stalls(at(10ms));
  timer.client_takes(at(500ms));
  answer(510ms);
  timer.ready(1, 'I', no_rtt);
  timer.client_stalls(at(510ms));
  timer.client_takes(at(700ms));
  const auto all = deliver(700ms);
  EXPECT_EQ(all.front().at(phase::client_stall), 680ms);
  EXPECT_EQ(all.front().at(phase::transfer), 500ms);
  EXPECT_EQ(telemetry::dominant(all.front()), phase::client_stall);
}

TEST_F(ExchangeTimer, what_the_loop_came_late_to_is_the_gateways) {
  timer.request(at(0ms), 1, exchange_kind::simple, true);
  timer.request_bytes(at(0ms), 20, no_rtt);
  timer.sent(at(200ms));  // it lay in our socket before it was read
  timer.answer_bytes(at(210ms), at(260ms), 100);
  timer.ready(1, 'I', no_rtt);
  const auto all = deliver(260ms);
  EXPECT_EQ(all.front().at(phase::gateway), 250ms);
  EXPECT_EQ(all.front().at(phase::server), 10ms);
}

TEST_F(ExchangeTimer, pipelined_exchanges_share_no_time) {
  ask(0ms, 1);
  ask(1ms, 2);
  ask(2ms, 3);
  answer(100ms);
  timer.ready(1, 'I', 1ms);
  answer(150ms);
  timer.ready(2, 'I', 1ms);
  answer(160ms);
  timer.ready(3, 'E', 1ms);
  const auto all = deliver(160ms);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].at(phase::server), 99ms);
  EXPECT_EQ(all[1].at(phase::server), 50ms);
  EXPECT_EQ(all[1].at(phase::network), 0ms);
  EXPECT_EQ(all[2].at(phase::server), 10ms);
  EXPECT_EQ(all[2].transaction_status, 'E');
  EXPECT_TRUE(timer.at_rest());
}

TEST_F(ExchangeTimer, syncs_that_the_server_dropped_are_one_exchange) {
  ask(0ms, 1);
  ask(1ms, 2);
  answer(10ms);
  timer.ready(2, 'I', no_rtt);
  EXPECT_EQ(deliver(10ms).size(), 1u);
  EXPECT_TRUE(timer.at_rest());
}

TEST_F(ExchangeTimer, an_answer_to_a_part_of_the_request) {
  timer.request(at(0ms), 1, exchange_kind::extended, false);
  timer.request_bytes(at(0ms), 100, no_rtt);  // Parse, Flush
  timer.sent(at(0ms));
  answer(400ms);
  timer.request(at(450ms), 2, exchange_kind::extended, true);
  timer.request_bytes(at(450ms), 100, no_rtt);  // the client thought for 50 ms
  timer.sent(at(450ms));
  answer(460ms);
  timer.ready(2, 'I', no_rtt);
  const auto all = deliver(460ms);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all.front().at(phase::server), 410ms);
  EXPECT_EQ(all.front().at(phase::client_upload), 50ms);
}

TEST_F(ExchangeTimer, the_first_error_counts) {
  ask(0ms, 1);
  answer(1ms);
  timer.failed(sqlstate("42P01"));
  timer.failed(sqlstate("25P02"));
  timer.ready(1, 'I', no_rtt);
  const auto all = deliver(1ms);
  EXPECT_EQ(all.front().how, outcome::error);
  EXPECT_EQ(all.front().code.view(), "42P01");
}

TEST_F(ExchangeTimer, a_session_that_ends_cuts_off_what_is_outstanding) {
  ask(0ms, 1);
  ask(0ms, 2);
  timer.cut_off(at(5s), sqlstate("57P01"), 'T', no_rtt);
  const auto all = deliver(5s);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].how, outcome::cut_off);
  EXPECT_EQ(all[0].at(phase::server), 5s);
  EXPECT_EQ(all[0].code.view(), "57P01");
  EXPECT_EQ(all[1].how, outcome::cut_off);
  EXPECT_TRUE(timer.at_rest());
}

TEST_F(ExchangeTimer, a_pipeline_deeper_than_the_limit_is_told_as_one) {
  for (std::uint64_t number = 1; number <= 3'000; ++number)
    ask(0ms, number);
  std::size_t told = 0;
  for (std::uint64_t number = 1; number <= 3'000; ++number) {
    answer(10ms);
    timer.ready(number, 'I', no_rtt);
    told += deliver(10ms).size();
  }
  EXPECT_LE(told, 3'000u);
  EXPECT_GE(told, limits::exchanges_in_flight);
  EXPECT_TRUE(timer.at_rest());
}

}  // namespace
}  // namespace trunkline::session
