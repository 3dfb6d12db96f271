// Engines against plain OpenSSL: TLS 1.2, key updates, renegotiation, the ALPN rules, minimum versions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/test_raw_peer.h"

namespace trunkline::tls {
namespace {

using test::raw_peer;
using test::world;
using ::testing::HasSubstr;

world& shared() {
  static world one;
  return one;
}

engine accept(negotiation how = negotiation::ssl_request) {
  return shared().server_side()->accept(how);
}

TEST(EngineRaw, Tls12ServerRole) {
  const auto context = test::raw_client(TLS1_2_VERSION);
  raw_peer client(*context);
  engine server = accept();
  ASSERT_TRUE(client.handshake(server)) << server.error_text();
  EXPECT_EQ(server.version(), "TLSv1.2");
  client.write("select 1");
  std::string plain;
  EXPECT_EQ(client.exchange(server, &plain), status::ok);
  EXPECT_EQ(plain, "select 1");
  client.send_from(server, std::string(40'000, 'x'));
  EXPECT_EQ(client.read(), std::string(40'000, 'x'));
}

TEST(EngineRaw, Tls12ClientRole) {
  const auto context = test::raw_server(shared().server.certificates[0], TLS1_2_VERSION);
  raw_peer server(*context, true);
  engine client = shared().client_side()->connect("db.example.org", negotiation::ssl_request);
  ASSERT_TRUE(server.handshake(client)) << client.error_text();
  EXPECT_EQ(client.version(), "TLSv1.2");
  server.write("row");
  std::string plain;
  EXPECT_EQ(server.exchange(client, &plain), status::ok);
  EXPECT_EQ(plain, "row");
  server.send_from(client, "select");
  EXPECT_EQ(server.read(), "select");
}

TEST(EngineRaw, EveryCipherCarriesBothWays) {
  struct kind {
    int version;
    const char* name;
  };
  for (const kind& one :
       {kind{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"}, kind{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
        kind{TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
        kind{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
        kind{TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
        kind{TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"}}) {
    const auto context = test::raw_client(one.version);
    if (one.version == TLS1_3_VERSION)
      SSL_CTX_set_ciphersuites(context.get(), one.name);
    else
      SSL_CTX_set_cipher_list(context.get(), one.name);
    raw_peer client(*context);
    engine server = accept();
    ASSERT_TRUE(client.handshake(server)) << server.error_text();
    EXPECT_EQ(server.cipher(), one.name);
    for (int round = 0; round < 3; ++round) {
      const std::string text(static_cast<std::size_t>(1 + round * 20'000), static_cast<char>('a' + round));
      client.write(text);
      std::string plain;
      client.exchange(server, &plain);
      EXPECT_EQ(plain, text) << one.name;
      client.send_from(server, text);
      EXPECT_EQ(client.read(), text) << one.name;
    }
  }
}

/// With a negotiated fragment length a session stays with OpenSSL; without, it goes to our own record layer.
/// What both do must look the same from outside.
class BothRecordLayers : public ::testing::TestWithParam<bool> {
 protected:
  void prepare(raw_peer& client) const {
    if (GetParam()) SSL_set_tlsext_max_fragment_length(client.ssl(), TLSEXT_max_fragment_length_1024);
  }
};
INSTANTIATE_TEST_SUITE_P(EngineRaw, BothRecordLayers, ::testing::Bool(),
                         [](const auto& which) { return which.param ? "OpenSsl" : "Ours"; });

TEST_P(BothRecordLayers, KeyUpdatesAreFollowedAndAnswered) {
  const auto context = test::raw_client();
  raw_peer client(*context);
  prepare(client);
  engine server = accept();
  ASSERT_TRUE(client.handshake(server));
  for (int round = 0; round < 5; ++round) {
    ASSERT_EQ(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_REQUESTED), 1);
    client.write("after the update");
    std::string plain;
    EXPECT_EQ(client.exchange(server, &plain), status::ok) << server.error_text();
    EXPECT_EQ(plain, "after the update");
    client.send_from(server, "answer");
    EXPECT_EQ(client.read(), "answer");
  }
}

TEST_P(BothRecordLayers, CarryALotBothWays) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto context = test::raw_client(version);
    raw_peer client(*context);
    prepare(client);
    engine server = accept();
    ASSERT_TRUE(client.handshake(server));
    const std::string text(100'000, 'x');
    client.write(text);
    std::string plain;
    EXPECT_EQ(client.exchange(server, &plain), status::ok);
    EXPECT_EQ(plain, text);
    client.send_from(server, text);
    EXPECT_EQ(client.read(), text);
    EXPECT_EQ(SSL_shutdown(client.ssl()), 0);
    EXPECT_EQ(client.exchange(server), status::peer_closed);
    test::bytes farewell(100);
    const step closing = server.shutdown(farewell);
    client.give(byte_span(farewell).first(closing.produced));
    EXPECT_EQ(SSL_shutdown(client.ssl()), 1);
  }
}

TEST_P(BothRecordLayers, ForgedRecordsFailWithAnAlert) {
  const auto context = test::raw_client();
  raw_peer client(*context);
  prepare(client);
  engine server = accept();
  ASSERT_TRUE(client.handshake(server));
  client.write("select 1");
  test::bytes wire = client.take();
  wire.back() ^= std::byte{1};
  test::bytes plain;
  test::bytes answer;
  EXPECT_EQ(test::link::receive(server, wire, plain, answer), status::failed);
  EXPECT_TRUE(plain.empty());
  EXPECT_THAT(std::string(server.error_text()), HasSubstr("bad record mac"));
  client.give(answer);
  EXPECT_EQ(client.read(), "");
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_error()), SSL_AD_REASON_OFFSET + SSL_AD_BAD_RECORD_MAC);
  ERR_clear_error();
}

TEST_P(BothRecordLayers, RenegotiationIsRefusedAndTheSessionGoesOn) {
  const auto context = test::raw_client(TLS1_2_VERSION);
  raw_peer client(*context);
  prepare(client);
  engine server = accept();
  ASSERT_TRUE(client.handshake(server));
  ASSERT_EQ(SSL_renegotiate(client.ssl()), 1);
  SSL_do_handshake(client.ssl());
  EXPECT_EQ(client.exchange(server), status::want_input);
  EXPECT_EQ(server.version(), "TLSv1.2");
  EXPECT_TRUE(server.error_text().empty());
  char byte = 0;
  EXPECT_LE(SSL_read(client.ssl(), &byte, 1), 0);  // the client hears of it
  EXPECT_EQ(ERR_GET_REASON(ERR_peek_error()), SSL_R_NO_RENEGOTIATION);
  ERR_clear_error();
}

TEST(EngineRaw, ClientRoleFollowsKeyUpdatesBeforeAndAfterTheFirstData) {
  const auto context = test::raw_server(shared().server.certificates[0]);
  for (const bool early : {false, true}) {
    raw_peer server(*context, true);
    engine client = shared().client_side()->connect("db.example.org", negotiation::ssl_request);
    ASSERT_TRUE(server.handshake(client)) << client.error_text();
    for (int round = early ? 0 : -1; round < 3; ++round) {
      const bool update = round >= 0;
      ASSERT_TRUE(!update || SSL_key_update(server.ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
      server.write("row");
      std::string plain;
      EXPECT_EQ(server.exchange(client, &plain), status::ok) << client.error_text();
      EXPECT_EQ(plain, "row");
      server.send_from(client, "select");
      EXPECT_EQ(server.read(), "select");
    }
  }
}

TEST(EngineRaw, VersionsBelowTheMinimumAreRefused) {
  const auto old = test::raw_client(TLS1_1_VERSION);
  raw_peer client(*old);
  engine server = accept();
  EXPECT_FALSE(client.handshake(server));
  EXPECT_THAT(std::string(server.error_text()), HasSubstr("below the minimum"));

  server_settings strict = shared().server;
  strict.min_version = protocol_version::tls_1_3;
  const auto context = test::value_of(server_context::build(strict, nullptr, test::now()));
  const auto middle = test::raw_client(TLS1_2_VERSION);
  raw_peer other(*middle);
  engine modern = context->accept(negotiation::ssl_request);
  EXPECT_FALSE(other.handshake(modern));
  EXPECT_THAT(std::string(modern.error_text()), HasSubstr("below the minimum"));
}

TEST(EngineRaw, TheAlertOfARefusalReachesThePeer) {
  const auto context = test::raw_client();
  raw_peer client(*context);
  test::offer_alpn(client, "\x02h2");
  engine server = accept();
  EXPECT_FALSE(client.handshake(server));
  EXPECT_EQ(client.failure_reason, SSL_AD_REASON_OFFSET + SSL_AD_NO_APPLICATION_PROTOCOL);
}

struct alpn_case {
  negotiation how;
  std::string_view offered;
  bool accepted;
};

TEST(EngineRaw, AlpnRules) {
  const alpn_case cases[] = {
      {negotiation::ssl_request, "", true},
      {negotiation::ssl_request, "\x0apostgresql", true},
      {negotiation::ssl_request, std::string_view("\x02h2\x0apostgresql", 14), true},
      {negotiation::ssl_request, "\x02h2", false},
      {negotiation::direct, "\x0apostgresql", true},
      {negotiation::direct, "", false},
      {negotiation::direct, "\x08http/1.1", false},
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto context = test::raw_client(version);
    for (const alpn_case& one : cases) {
      raw_peer client(*context);
      if (!one.offered.empty()) test::offer_alpn(client, one.offered);
      engine server = accept(one.how);
      EXPECT_EQ(client.handshake(server), one.accepted) << one.offered << " " << version;
      if (one.accepted) {
        EXPECT_EQ(server.alpn(), one.offered.empty() ? "" : "postgresql");
      } else {
        EXPECT_THAT(std::string(server.error_text()), HasSubstr("ALPN"));
      }
      ERR_clear_error();
    }
  }
}

TEST(EngineRaw, ADirectServerMustSelectAlpn) {
  const auto context = test::raw_server(shared().server.certificates[0]);  // selects nothing
  for (const bool direct : {false, true}) {
    raw_peer server(*context, true);
    engine client = shared().client_side()->connect("db.example.org",
                                                    direct ? negotiation::direct : negotiation::ssl_request);
    EXPECT_EQ(server.handshake(client), !direct);
    EXPECT_EQ(client.error_text().empty(), !direct);
  }
}

TEST(EngineRaw, AServerMustNotSelectWhatWasNotOffered) {
  const auto context = test::raw_server(shared().server.certificates[0]);
  SSL_CTX_set_alpn_select_cb(
      context.get(),
      [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned int, void*) {
        *out = reinterpret_cast<const unsigned char*>("h2");
        *size = 2;
        return SSL_TLSEXT_ERR_OK;
      },
      nullptr);
  raw_peer server(*context, true);
  engine client = shared().client_side()->connect("db.example.org", negotiation::ssl_request);
  EXPECT_FALSE(server.handshake(client));
  EXPECT_FALSE(client.error_text().empty());
}

}  // namespace
}  // namespace trunkline::tls
