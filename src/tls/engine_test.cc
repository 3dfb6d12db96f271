#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/limits.h"
#include "tls/test_support.h"

namespace trunkline::tls {
namespace {

using test::bytes;
using test::link;
using test::world;
using ::testing::HasSubstr;

/// Making certificates takes time; the tests of this file share one world, which they do not change.
world& shared() {
  static world one;
  return one;
}

link joined(protocol_version at_most = protocol_version::tls_1_3);

/// A server that speaks no more than TLS 1.2 is had by asking a client context for it: see
/// engine_raw_test.cc.
link joined(protocol_version) {
  link made = shared().join();
  EXPECT_TRUE(made.handshake());
  return made;
}

TEST(Engine, HandshakeTellsItsFacts) {
  link one = joined();
  EXPECT_EQ(one.client.version(), "TLSv1.3");
  EXPECT_EQ(one.server.version(), "TLSv1.3");
  EXPECT_EQ(one.server.cipher(), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(one.server.alpn(), "postgresql");
  EXPECT_EQ(one.client.alpn(), "postgresql");
  EXPECT_EQ(one.server.server_name(), "db.example.org");
  EXPECT_FALSE(one.server.session_reused());
  EXPECT_EQ(one.server.peer_certificate(), nullptr);
  ASSERT_NE(one.client.peer_certificate(), nullptr);
  EXPECT_EQ(one.client.peer_certificate()->subject, "CN=server");
  EXPECT_THAT(one.client.peer_certificate()->dns_names, ::testing::ElementsAre("db.example.org"));
  EXPECT_TRUE(one.server.error_text().empty());
}

TEST(Engine, CarriesBytesBothWays) {
  link one = joined();
  one.client_sends(as_bytes("select 1"));
  EXPECT_EQ(one.server_receives(), status::ok);
  EXPECT_EQ(as_text(one.received_by_server), "select 1");
  one.server_sends(as_bytes("one row"));
  EXPECT_EQ(one.client_receives(), status::ok);
  EXPECT_EQ(as_text(one.received_by_client), "one row");
  EXPECT_EQ(one.client_receives(), status::want_input);
}

TEST(Engine, OneByteAtATimeAndOneByteOfSpace) {
  link one = shared().join();
  ASSERT_TRUE(one.handshake({.input = 1, .output = 1}));
  const bytes data = test::pattern(3000);
  one.client_sends(data, {.input = 7, .output = 1});
  EXPECT_EQ(one.server_receives({.input = 1, .output = 1}), status::ok);
  EXPECT_EQ(one.received_by_server, data);
  one.server_sends(data, {.output = 33});
  EXPECT_EQ(one.client_receives({.input = 1, .output = 1}), status::ok);
  EXPECT_EQ(one.received_by_client, data);
}

TEST(Engine, AnyCutOfTheBytesCarriesThemAll) {
  const bool good = rc::check("any chunking", [] {
    const auto cuts = [] {
      return test::cut{.input = *rc::gen::inRange<std::size_t>(1, 40'000),
                       .output = *rc::gen::inRange<std::size_t>(1, 40'000)};
    };
    link one = shared().join();
    RC_ASSERT(one.handshake(cuts()));
    const bytes data = test::pattern(*rc::gen::inRange<std::size_t>(0, 60'000));
    one.client_sends(data, cuts());
    one.server_sends(data, cuts());
    one.server_receives(cuts());
    one.client_receives(cuts());
    const bool server_has_all = one.received_by_server == data;
    const bool client_has_all = one.received_by_client == data;
    RC_ASSERT(server_has_all);
    RC_ASSERT(client_has_all);
  });
  EXPECT_TRUE(good);
}

TEST(Engine, SixtyFourMebibytes) {
  link one = joined();
  const bytes block = test::pattern(1 << 20);
  for (unsigned i = 0; i < 64; ++i) {
    one.received_by_server.clear();
    one.client_sends(block, {.output = 256 * 1024});
    one.server_receives({.input = 100'000, .output = 64 * 1024});
    ASSERT_EQ(one.received_by_server, block) << i;
  }
}

TEST(Engine, ComfortableSpaceTakesAllAtOnce) {
  link one = joined();
  const bytes plain = test::pattern(record_plaintext);
  bytes space(record_plaintext + record_overhead);
  const step done = one.client.encrypt(plain, space);
  EXPECT_EQ(done.what, status::ok);
  EXPECT_EQ(done.consumed, plain.size());
  EXPECT_EQ(one.client.pending_output(), 0u);
}

TEST(Engine, NoSpaceNoProgressNoHarm) {
  link one = joined();
  const step none = one.client.encrypt(as_bytes("abc"), {});
  EXPECT_EQ(none.what, status::want_output_space);
  EXPECT_EQ(none.consumed, 0u);
  one.client_sends(as_bytes("abc"));
  const step blocked = one.server.decrypt(one.to_server, {});
  EXPECT_EQ(blocked.what, status::want_output_space);
  EXPECT_EQ(blocked.consumed + blocked.produced, 0u);
  EXPECT_EQ(one.server_receives(), status::ok);
  EXPECT_EQ(as_text(one.received_by_server), "abc");
}

TEST(Engine, PlaintextWithoutRoomWaits) {
  link one = joined();
  one.client_sends(as_bytes("abcdef"));
  bytes space(4);
  const step first = one.server.decrypt(one.to_server, space);
  EXPECT_EQ(first.what, status::want_output_space);
  EXPECT_EQ(first.produced, 4u);
  EXPECT_EQ(first.consumed, one.to_server.size());
  EXPECT_TRUE(one.server.has_plaintext());
  const step second = one.server.decrypt({}, space);
  EXPECT_EQ(second.what, status::ok);
  EXPECT_EQ(as_text(byte_span(space).first(second.produced)), "ef");
  EXPECT_FALSE(one.server.has_plaintext());
}

TEST(Engine, DataBehindTheHandshakeIsLeftForDecrypt) {
  link one = shared().join();
  ASSERT_NE(test::advance(one.client, one.to_client, one.to_server, {}), status::failed);
  ASSERT_NE(test::advance(one.server, one.to_server, one.to_client, {}), status::failed);
  ASSERT_EQ(test::advance(one.client, one.to_client, one.to_server, {}), status::ok);
  one.client_sends(as_bytes("early bird"));  // in one piece with the client's Finished
  ASSERT_EQ(test::advance(one.server, one.to_server, one.to_client, {}), status::ok);
  EXPECT_FALSE(one.to_server.empty());
  EXPECT_EQ(one.server_receives(), status::ok);
  EXPECT_EQ(as_text(one.received_by_server), "early bird");
}

TEST(Engine, CloseNotifyIsToldFromTruncation) {
  link one = joined();
  one.client_sends(as_bytes("bye"));
  bytes space(100);
  const step closing = one.client.shutdown(space);
  EXPECT_EQ(closing.what, status::ok);
  one.to_server.insert(one.to_server.end(), space.begin(),
                       space.begin() + static_cast<long>(closing.produced));
  EXPECT_EQ(one.server_receives(), status::peer_closed);
  EXPECT_EQ(as_text(one.received_by_server), "bye");
  EXPECT_TRUE(one.server.peer_closed());
  one.server_sends(as_bytes("still here"));  // half-close: the other direction goes on
  EXPECT_EQ(one.client_receives(), status::ok);
  EXPECT_EQ(as_text(one.received_by_client), "still here");

  link other = joined();
  other.client_sends(as_bytes("cut"));
  other.to_server.pop_back();
  EXPECT_EQ(other.server_receives(), status::want_input);
  EXPECT_FALSE(other.server.peer_closed());
}

TEST(Engine, ShutdownIntoTinySpaceIsWholeAndOnce) {
  link one = joined();
  bytes space(1);
  status what = status::want_output_space;
  for (int i = 0; i < 100 && what == status::want_output_space; ++i) {
    const step done = one.client.shutdown(space);
    one.to_server.insert(one.to_server.end(), space.begin(),
                         space.begin() + static_cast<long>(done.produced));
    what = done.what;
  }
  EXPECT_EQ(what, status::ok);
  EXPECT_EQ(one.client.shutdown(space).produced, 0u);
  EXPECT_EQ(one.server_receives(), status::peer_closed);
}

TEST(Engine, ACorruptRecordFailsWithAnAlert) {
  link one = joined();
  one.client_sends(as_bytes("select 1"));
  one.to_server.back() ^= std::byte{1};
  bytes space(100);
  const step done = one.server.decrypt(one.to_server, space);
  EXPECT_EQ(done.what, status::failed);
  EXPECT_EQ(done.produced, 0u);
  EXPECT_FALSE(one.server.error_text().empty());
  EXPECT_GT(one.server.pending_output(), 0u);
  test::drain(one.server, one.to_client, 3);
  EXPECT_EQ(one.client_receives(), status::failed);
  EXPECT_THAT(std::string(one.client.error_text()), HasSubstr("bad record mac"));
}

TEST(Engine, GarbageInsteadOfAClientHello) {
  for (const std::string_view text : {std::string_view("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
                                      std::string_view("SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"),
                                      std::string_view("\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff", 10)}) {
    engine server = shared().server_side()->accept(negotiation::direct);
    bytes space(1000);
    const step done = server.handshake(as_bytes(text), space);
    EXPECT_EQ(done.what, status::failed) << text;
    EXPECT_FALSE(server.error_text().empty());
    EXPECT_EQ(server.handshake(as_bytes(text), space).what, status::failed);
    EXPECT_EQ(server.decrypt(as_bytes(text), space).what, status::failed);
  }
}

TEST(Engine, EveryTruncationOfAHelloJustWaits) {
  link one = shared().join();
  test::advance(one.client, one.to_client, one.to_server, {});
  const bytes hello = one.to_server;
  const auto context = shared().server_side();
  for (std::size_t size = 0; size < hello.size(); size += 13) {
    engine server = context->accept(negotiation::ssl_request);
    bytes space(1000);
    const step done = server.handshake(byte_span(hello).first(size), space);
    EXPECT_EQ(done.what, status::want_input) << size;
    EXPECT_EQ(done.consumed, size);
  }
}

TEST(Engine, MovesBetweenCalls) {
  link one = shared().join();
  test::advance(one.client, one.to_client, one.to_server, {});
  engine moved = std::move(one.server);
  test::advance(moved, one.to_server, one.to_client, {});
  test::advance(one.client, one.to_client, one.to_server, {});
  one.server = std::move(moved);
  ASSERT_EQ(test::advance(one.server, one.to_server, one.to_client, {}), status::ok);
  one.client_sends(as_bytes("x"));
  EXPECT_EQ(one.server_receives(), status::ok);
}

}  // namespace
}  // namespace trunkline::tls
