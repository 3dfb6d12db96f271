#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tls/test_raw_peer.h"

namespace trunkline::tls {
namespace {

using namespace std::chrono_literals;
using test::link;
using test::world;
using ::testing::HasSubstr;

std::string outcome(const world& one, std::string_view name) {
  link joined = one.join(name);
  if (joined.handshake()) return "established";
  return std::string(joined.client.error_text());
}

TEST(ClientContext, VerifyFull) {
  world one;
  EXPECT_EQ(outcome(one, "db.example.org"), "established");
  EXPECT_EQ(outcome(one, "DB.example.org."), "established");
  EXPECT_EQ(outcome(one, "other.example.org"),
            "certificate verify failed: hostname mismatch (certificate is for db.example.org)");
  EXPECT_THAT(outcome(one, "10.1.2.3"), HasSubstr("IP address mismatch (certificate is for db.example.org)"));
  EXPECT_THAT(outcome(one, ""), HasSubstr("no usable server name"));
}

TEST(ClientContext, VerifyFullWithAddresses) {
  world one;
  issue_request asked = test::request("by-address");
  asked.ip_addresses = {"10.1.2.3", "fd00::1"};
  one.server.certificates = {one.source_of("by-address", asked)};
  EXPECT_EQ(outcome(one, "10.1.2.3"), "established");
  EXPECT_EQ(outcome(one, "fd00:0::1"), "established");
  EXPECT_THAT(outcome(one, "10.1.2.4"),
              HasSubstr("IP address mismatch (certificate is for 10.1.2.3, fd00::1)"));
}

TEST(ClientContext, TheCommonNameCountsOnlyWithoutDnsNames) {
  world one;
  one.server.certificates = {one.source("cn.example.org", std::vector<std::string>{})};
  EXPECT_EQ(outcome(one, "cn.example.org"), "established");
  one.server.certificates = {one.source("cn.example.org", {"san.example.org"})};
  EXPECT_THAT(outcome(one, "cn.example.org"), HasSubstr("hostname mismatch"));
  one.server.certificates = {one.source("wild", {"*.example.org"})};
  EXPECT_EQ(outcome(one, "a.example.org"), "established");
  EXPECT_THAT(outcome(one, "a.b.example.org"), HasSubstr("hostname mismatch"));
}

TEST(ClientContext, VerifyCaAndNone) {
  world one;
  one.client.verify = verification::verify_ca;
  EXPECT_EQ(outcome(one, "other.example.org"), "established");
  one.client.ca_file = one.files.write("strange.crt", test::authority("Stranger").certificate_pem);
  EXPECT_THAT(outcome(one, "db.example.org"), HasSubstr("issuer CN=Test Root is not trusted"));
  one.client.verify = verification::none;
  EXPECT_EQ(outcome(one, "db.example.org"), "established");
}

TEST(ClientContext, ExpiredAndNotYetValid) {
  world one;
  issue_request asked = test::request("old", {"db.example.org"});
  asked.not_before = test::now() - 48h;
  asked.not_after = test::now() - 24h;
  one.server.certificates = {one.source_of("old", asked)};
  EXPECT_EQ(outcome(one, "db.example.org"),
            "certificate verify failed: certificate has expired (subject CN=old)");
  asked.not_before = test::now() + 24h;
  asked.not_after = test::now() + 48h;
  one.server.certificates = {one.source_of("new", asked)};
  EXPECT_THAT(outcome(one, "db.example.org"), HasSubstr("not yet valid"));
}

TEST(ClientContext, TheServerLearnsWhyItWasRefused) {
  world one;
  link joined = one.join("other.example.org");
  EXPECT_FALSE(joined.handshake());
  EXPECT_EQ(joined.server_status, status::failed);
  EXPECT_THAT(std::string(joined.server.error_text()),
              HasSubstr("the client refused with the TLS alert: bad certificate"));
}

TEST(ClientContext, ServerNamesAreSentButForAddresses) {
  world one;
  one.client.verify = verification::none;
  link named = one.join("any.example.org");
  ASSERT_TRUE(named.handshake());
  EXPECT_EQ(named.server.server_name(), "any.example.org");
  link bare = one.join("fd00::1");
  ASSERT_TRUE(bare.handshake());
  EXPECT_EQ(bare.server.server_name(), "");
}

TEST(ClientContext, SessionsTowardsTheServerAreResumed) {
  world one;
  const auto client = one.client_side();
  const auto server = one.server_side();
  const auto again = [&](std::string_view name) {
    link joined{client->connect(name, negotiation::direct), server->accept(negotiation::direct)};
    EXPECT_TRUE(joined.handshake()) << joined.client.error_text();
    joined.server_sends(as_bytes("x"));
    EXPECT_EQ(joined.client_receives(), status::ok);  // takes the ticket along
    EXPECT_EQ(joined.client.alpn(), "postgresql");
    EXPECT_FALSE(joined.client.tls_server_end_point().empty());
    EXPECT_EQ(joined.client.tls_server_end_point(), joined.server.tls_server_end_point());
    return joined.client.session_reused();
  };
  EXPECT_FALSE(again("db.example.org"));
  EXPECT_TRUE(again("db.example.org"));
  EXPECT_TRUE(again("db.example.org"));
}

TEST(ClientContext, Tls12SessionsAreResumedToo) {
  world one;
  const auto context = test::raw_server(one.server.certificates[0], TLS1_2_VERSION);
  const auto client = one.client_side();
  const auto again = [&] {
    test::raw_peer server(*context, true);
    engine connecting = client->connect("db.example.org", negotiation::ssl_request);
    EXPECT_TRUE(server.handshake(connecting)) << connecting.error_text();
    return connecting.session_reused();
  };
  EXPECT_FALSE(again());
  EXPECT_TRUE(again());
}

TEST(ClientContext, SaysWhatIsWrongWithAFile) {
  world one;
  one.client.ca_file = "/nonexistent/ca.crt";
  auto built = client_context::build(one.client, test::now());
  ASSERT_FALSE(built.has_value());
  EXPECT_THAT(built.error().message, HasSubstr("/nonexistent/ca.crt: cannot be read"));
  one.client.ca_file = one.ca_file;
  one.client.cert_file = one.ca_file;
  built = client_context::build(one.client, test::now());
  ASSERT_FALSE(built.has_value());
  EXPECT_THAT(built.error().message, HasSubstr("needs both"));
}

struct end_point_case {
  key_kind key;
  signature_hash hash;
  std::size_t size;
};

TEST(TlsServerEndPoint, IsTheSameOnBothEnds) {
  for (const end_point_case& c : {end_point_case{key_kind::ec_p256, signature_hash::sha256, 32},
                                  {key_kind::ec_p384, signature_hash::sha384, 48},
                                  {key_kind::rsa_2048, signature_hash::sha256, 32},
                                  {key_kind::rsa_2048, signature_hash::sha512, 64}}) {
    world one;
    one.server.certificates = {one.source("server", {"db.example.org"}, c.key, c.hash)};
    link joined = one.join();
    EXPECT_TRUE(joined.server.tls_server_end_point().empty());  // not before the handshake
    ASSERT_TRUE(joined.handshake()) << joined.client.error_text();
    EXPECT_EQ(joined.server.tls_server_end_point().size(), c.size);
    EXPECT_EQ(joined.server.tls_server_end_point(), joined.client.tls_server_end_point());
  }
}

TEST(TlsServerEndPoint, IsUndefinedForEd25519) {
  world one;
  issue_request asked = test::request("edwards", {"db.example.org"});
  asked.key = key_kind::ed25519;
  const test::stored self = test::store(one.files, "edwards", test::value_of(issue(asked)));
  one.server.certificates = {{.cert_file = self.cert_file, .key_file = self.key_file}};
  one.client.verify = verification::none;
  link joined = one.join();
  ASSERT_TRUE(joined.handshake()) << joined.client.error_text();
  EXPECT_TRUE(joined.server.tls_server_end_point().empty());
  EXPECT_TRUE(joined.client.tls_server_end_point().empty());
}

}  // namespace
}  // namespace trunkline::tls
