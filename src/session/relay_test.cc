// The relay between two simulated pipes: bytes in random pieces, slow readers, ends of every kind.
#include "session/relay.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "protocol/query_messages.h"
#include "protocol/session_start.h"
#include "runtime/simulated_loop.h"

namespace trunkline::session {
namespace {

using namespace std::chrono_literals;
using runtime::stream_end;
using telemetry::cause;

std::shared_ptr<const deployment> setup_with_one_route() {
  auto settings = std::make_shared<config::settings>();
  settings->listeners.emplace_back().name = "main";
  settings->routes.emplace_back().name = "all";
  auto made = std::make_shared<deployment>();
  made->settings = settings;
  return made;
}

struct peer : runtime::stream_handler {
  void on_received(runtime::buffer data) override {
    const auto bytes = data.bytes();
    received.insert(received.end(), bytes.begin(), bytes.end());
  }
  void on_end(stream_end end) override { ends.push_back(end.what); }
  std::unique_ptr<runtime::byte_stream> stream;
  std::vector<std::byte> received;
  std::vector<stream_end::kind> ends;
};

struct sleeping_reader final : audit::tap_reader {
  void notify() override { ++notified; }
  bool blocked() const override { return is_blocked; }
  int notified = 0;
  bool is_blocked = false;
};

class RelayTest : public ::testing::Test, public relay_owner {
 protected:
  void begin(std::uint64_t seed = 1, std::size_t capacity = 64 * 1024) {
    loop = std::make_unique<runtime::simulated_loop>(seed);
    facts.setup = setup_with_one_route();
    facts.route = &facts.setup->settings->routes.front();
    relay::legs legs;
    std::tie(client.stream, legs.client) = loop->make_pipe(capacity);
    std::tie(server.stream, legs.server) = loop->make_pipe(capacity);
    for (peer* each : {&client, &server}) {
      each->stream->set_handler(each);
      each->stream->resume_receiving();
    }
    seen = std::make_unique<observation>(*loop);
    if (tap != nullptr) seen->audit_into(*tap, reader);
    road = std::make_unique<relay>(*loop, *seen, seen->gate(), facts, *this, std::move(legs), false);
    road->start({}, {});
    loop->settle();
  }
  void TearDown() override {
    road.reset();
    seen.reset();
    client.stream.reset();
    server.stream.reset();
    loop.reset();
  }

  void send(peer& from, byte_span bytes) {
    while (!bytes.empty()) {
      auto part = loop->buffers().lend(runtime::buffer_size::small);
      const std::size_t count = std::min(bytes.size(), part.room().size());
      std::copy_n(bytes.begin(), count, part.room().begin());
      part.commit(count);
      bytes = bytes.subspan(count);
      from.stream->send(std::move(part));
    }
  }

  void cancel_statement() override { ++cancels; }
  void relay_ended(telemetry::close_cause why, std::vector<std::byte> word, bool reset) override {
    ended = why;
    last_word = std::move(word);
    reset_client = reset;
  }

  std::unique_ptr<runtime::simulated_loop> loop;
  session_facts facts;
  peer client;
  peer server;
  std::unique_ptr<audit::tap> tap;  // set before `begin`: everything is audited into it
  sleeping_reader reader;
  std::unique_ptr<observation> seen;
  std::unique_ptr<relay> road;
  std::optional<telemetry::close_cause> ended;
  std::vector<std::byte> last_word;
  bool reset_client = false;
  int cancels = 0;
};

std::vector<std::byte> random_messages(std::mt19937_64& random, std::size_t about, std::string_view types) {
  std::vector<std::byte> all;
  while (all.size() < about) {
    const char type = types[random() % types.size()];
    std::size_t body = random() % 4 == 0 ? random() % 70'000 : random() % 60;
    if (type == 'Z') body = 1;
    std::byte header[5];
    header[0] = static_cast<std::byte>(type);
    store_u32(header + 1, static_cast<std::uint32_t>(body + 4));
    all.insert(all.end(), header, header + 5);
    for (std::size_t i = 0; i < body; ++i)
      all.push_back(static_cast<std::byte>(type == 'Z' ? 'I' : random()));
  }
  return all;
}

TEST_F(RelayTest, BytesArriveExactlyAsTheyWereSentWhateverThePieces) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    std::mt19937_64 random(seed);
    client = {};
    server = {};
    begin(seed, 1 + random() % 50'000);
    loop->set_largest_piece(seed % 3 == 0 ? 1 + random() % 7 : random() % 20'000);
    const std::size_t about = seed % 3 == 0 ? 20'000 : 400'000;
    const auto up = random_messages(random, about, "QPBDESCHdcFp\x7f");
    const auto down = random_messages(random, about, "TDC12sntIGHdcNAZ\x01");
    send(client, up);
    send(server, down);
    loop->settle();
    EXPECT_EQ(server.received, up) << "seed " << seed;
    EXPECT_EQ(client.received, down) << "seed " << seed;
    EXPECT_EQ(facts.bytes_from_client, up.size());
    EXPECT_FALSE(ended);
    EXPECT_EQ(loop->buffers().lent(), 0u) << "an idle session holds no buffer";
    facts = {};
    TearDown();
  }
}

TEST_F(RelayTest, HalfAMessageArrivesAsHalfAMessage) {
  begin();
  std::vector<std::byte> query;
  protocol::append_query(query, "select 1");
  send(client, byte_span(query).first(7));
  loop->settle();
  EXPECT_EQ(server.received.size(), 7u);
  send(client, byte_span(query).subspan(7));
  loop->settle();
  EXPECT_EQ(server.received, query);
}

TEST_F(RelayTest, ASlowReaderStopsItsWriterAndNothingIsLost) {
  begin(1, 1000);
  server.stream->pause_receiving();
  std::mt19937_64 random(7);
  const auto up = random_messages(random, 300'000, "d");
  send(client, up);
  loop->settle();
  EXPECT_LT(server.received.size(), 3'000u);
  EXPECT_LE(loop->buffers().lent(), 3u);
  server.stream->resume_receiving();
  loop->settle();
  EXPECT_EQ(server.received, up);
}

TEST_F(RelayTest, AnIllegalLengthEndsTheSessionAndIsTold) {
  begin();
  const std::byte bad[] = {std::byte{'Q'}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{3}};
  send(client, bad);
  loop->settle();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::protocol_client);
  EXPECT_FALSE(last_word.empty());
  EXPECT_TRUE(server.received.empty());
}

TEST_F(RelayTest, NonsenseFromTheServerEndsTheSession) {
  begin();
  std::byte bad[] = {std::byte{'D'}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
  send(server, bad);
  loop->settle();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::protocol_server);
}

TEST_F(RelayTest, AHalfCloseIsCarriedAndTheAnswerStillArrives) {
  begin();
  std::vector<std::byte> query;
  protocol::append_query(query, "select 1");
  send(client, query);
  client.stream->finish_sending();
  loop->settle();
  ASSERT_EQ(server.ends.size(), 1u);
  EXPECT_EQ(server.ends[0], stream_end::kind::fin);
  std::vector<std::byte> answer;
  protocol::append_ready_for_query(answer, protocol::transaction_status::idle);
  send(server, answer);
  server.stream->finish_sending();
  loop->settle();
  EXPECT_EQ(client.received, answer);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::client_eof);
  EXPECT_EQ(cancels, 0);
}

TEST_F(RelayTest, AClientThatVanishesWhileItsStatementRunsIsCancelled) {
  begin();
  std::vector<std::byte> query;
  protocol::append_query(query, "select pg_sleep(1000)");
  send(client, query);
  client.stream->finish_sending();
  loop->settle();
  EXPECT_EQ(cancels, 0);
  loop->advance(999ms);
  EXPECT_EQ(cancels, 1);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::client_eof);
  EXPECT_EQ(server.ends.back(), stream_end::kind::reset);
}

TEST_F(RelayTest, AResetIsPassedOnAsAReset) {
  begin();
  client.stream->reset();
  loop->settle();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::client_reset);
  EXPECT_EQ(server.ends.back(), stream_end::kind::reset);
}

TEST_F(RelayTest, DrainEndsAtTheMomentOfRest) {
  begin();
  std::vector<std::byte> query;
  protocol::append_query(query, "begin");
  send(client, query);
  loop->settle();
  road->on_event(relay_event::drain);
  EXPECT_FALSE(ended);
  std::vector<std::byte> ready;
  protocol::append_ready_for_query(ready, protocol::transaction_status::in_transaction);
  send(server, ready);
  loop->settle();
  EXPECT_FALSE(ended) << "a transaction is open";
  send(client, query);
  loop->settle();
  ready.clear();
  protocol::append_ready_for_query(ready, protocol::transaction_status::idle);
  send(server, ready);
  loop->settle();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::drain);
  EXPECT_EQ(server.received.back(), std::byte{4}) << "Terminate was said";
}

std::vector<std::byte> queries(int count) {
  std::vector<std::byte> all;
  for (int i = 0; i < count; ++i)
    protocol::append_query(all, "select 1 as a_column_with_a_name");
  return all;
}

/// Takes out of the ring what is there, and counts the messages of the client.
std::size_t read_requests(audit::tap& from) {
  std::size_t count = 0;
  from.publish();
  while (!from.empty()) {
    from.read(1u << 20, [&](const audit::tap_header& head, byte_span payload) {
      if (head.kind == audit::tap_kind::client_message && head.last != 0) ++count;
      const bool ends = head.kind == audit::tap_kind::exchange_end;
      if (head.kind != audit::tap_kind::messages && !ends) return;
      audit::each_gathered(ends ? payload.subspan(sizeof(telemetry::exchange_facts)) : payload,
                           [&](const audit::gathered_message& one, byte_span) { count += one.from_client; });
    });
  }
  return count;
}

TEST_F(RelayTest, AnAuditWithoutRoomHoldsTheSessionAndLosesNothing) {
  tap = std::make_unique<audit::tap>(std::size_t{512} * 1024);
  begin();
  const auto up = queries(20'000);  // far more than the ring takes
  send(client, up);
  loop->settle();
  ASSERT_LT(server.received.size(), up.size());
  EXPECT_FALSE(ended);
  std::size_t seen_requests = 0;
  for (int i = 0; i < 2'000 && server.received.size() < up.size(); ++i) {
    seen_requests += read_requests(*tap);
    loop->advance(limits::audit_retry);
  }
  EXPECT_EQ(server.received, up);
  for (int i = 0; i < 100; ++i) {
    seen_requests += read_requests(*tap);
    loop->advance(limits::audit_retry);
  }
  std::vector<std::byte> answer;
  protocol::append_ready_for_query(answer, protocol::transaction_status::idle);
  send(server, answer);  // what is still gathered comes with an exchange's end
  loop->settle();
  seen_requests += read_requests(*tap);
  EXPECT_EQ(seen_requests, 20'000u);
  EXPECT_FALSE(ended);
}

TEST_F(RelayTest, AnAuditThatStaysFullEndsTheSession) {
  tap = std::make_unique<audit::tap>(std::size_t{512} * 1024);
  begin();
  send(client, queries(20'000));
  loop->settle();
  loop->advance(limits::audit_stall + 1s);
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::audit_blocked);
  EXPECT_NE(as_text(last_word).find("58030"), std::string_view::npos);
}

TEST_F(RelayTest, AFinBehindHeldBytesComesBehindThem) {
  tap = std::make_unique<audit::tap>(std::size_t{512} * 1024);
  begin();
  const auto up = queries(20'000);
  send(client, up);
  client.stream->finish_sending();
  loop->settle();
  for (int i = 0; i < 2'000 && server.ends.empty(); ++i) {
    read_requests(*tap);
    loop->advance(limits::audit_retry);
  }
  EXPECT_EQ(server.received, up);
  EXPECT_EQ(server.ends.size(), 1u);
}

TEST_F(RelayTest, AnAuditThatCannotBeWrittenEndsASessionAtItsNextRequest) {
  tap = std::make_unique<audit::tap>(std::size_t{512} * 1024);
  begin();
  reader.is_blocked = true;
  loop->advance(1s);
  EXPECT_FALSE(ended) << "an idle session may see the audit recover";
  send(client, queries(1));
  loop->settle();
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->what, cause::audit_blocked);
  EXPECT_TRUE(server.received.empty() || server.received.front() == std::byte{'X'})
      << "nothing unaudited is run";
}

TEST_F(RelayTest, WhereGapsAreAllowedTheyAreCountedAndTold) {
  tap = std::make_unique<audit::tap>(std::size_t{512} * 1024);
  begin();
  seen->gate()->set_block(false);
  std::vector<std::byte> answer;
  protocol::append_ready_for_query(answer, protocol::transaction_status::idle);
  const auto up = queries(1);
  constexpr int asked = 5'000;
  for (int i = 0; i < asked; ++i) {
    send(client, up);
    loop->settle();
    send(server, answer);
    loop->settle();
  }
  EXPECT_EQ(server.received.size(), up.size() * asked) << "nothing is held";
  std::uint64_t told = 0;
  std::uint64_t ends = 0;
  const auto read = [&] {
    tap->publish();
    while (!tap->empty()) {
      tap->read(1u << 20, [&](const audit::tap_header& head, byte_span payload) {
        if (head.kind == audit::tap_kind::exchange_end) ++ends;
        if (head.kind != audit::tap_kind::gap) return;
        audit::tap_gap gap;
        std::memcpy(&gap, payload.data(), sizeof gap);
        told += gap.exchanges;
      });
    }
  };
  read();
  loop->advance(1s);
  read();
  EXPECT_GT(told, 0u);
  EXPECT_EQ(ends + told, static_cast<std::uint64_t>(asked));
  EXPECT_EQ(seen->gate()->lost_events(), told);
}

}  // namespace
}  // namespace trunkline::session
