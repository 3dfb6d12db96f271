#include "auth/scram_client.h"

#include <gtest/gtest.h>

#include <string>

#include "auth/base64.h"
#include "auth/reference_scram.h"
#include "base/limits.h"

namespace trunkline::auth {
namespace {

constexpr std::string_view salt = "sixteen bytes ok";
constexpr int iterations = 7;

nonce fixed_nonce() {
  nonce out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(i * 13);
  return out;
}

std::string own_nonce() {
  return base64_encode(fixed_nonce());
}

client_transport transport(bool tls, std::string_view hash = {}) {
  client_transport out{.tls = tls, .binding = {}};
  const byte_span bytes = as_bytes(hash);
  if (!hash.empty()) out.binding.emplace(bytes.begin(), bytes.end());
  return out;
}

scram_client plain_client() {
  return scram_client({.transport = {}, .client_nonce = fixed_nonce()});
}

std::string server_first() {
  return "r=" + own_nonce() + "servernonce,s=" + reference::base64(salt) + ",i=" + std::to_string(iterations);
}

client_keys pencil() {
  return derive("pencil", as_bytes(salt), iterations);
}

std::string auth_message() {
  return "n=,r=" + own_nonce() + "," + server_first() + ",c=biws,r=" + own_nonce() + "servernonce";
}

std::string server_final() {
  return "v=" + reference::prove("pencil", salt, iterations, auth_message()).server;
}

TEST(ScramClient, LogsInAndChecksTheServer) {
  scram_client client = plain_client();
  EXPECT_EQ(client.client_first(), "n,,n=,r=" + own_nonce());
  const auto request = client.on_server_first(as_bytes(server_first()));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(as_text(request->salt), salt);
  EXPECT_EQ(request->iterations, 7U);
  const auto final = client.provide(pencil());
  ASSERT_TRUE(final);
  EXPECT_EQ(*final, "c=biws,r=" + own_nonce() + "servernonce,p=" +
                        reference::prove("pencil", salt, iterations, auth_message()).client);
  EXPECT_FALSE(client.server_proved());
  EXPECT_TRUE(client.on_server_final(as_bytes(server_final())));
  EXPECT_TRUE(client.server_proved());
}

TEST(ScramClient, FlagAndBindingByTransportAndOffer) {
  const auto first = [](mechanism which, client_transport over, bool offered) {
    return scram_client({.mechanism = which, .transport = over, .server_offered_plus = offered})
        .client_first();
  };
  const mechanism plain = mechanism::scram_sha_256;
  EXPECT_TRUE(first(plain, transport(false), false).starts_with("n,,n=,r="));
  EXPECT_TRUE(first(plain, transport(true), false).starts_with("n,,"));  // no binding: we cannot do it
  EXPECT_TRUE(first(plain, transport(true), true).starts_with("n,,"));
  EXPECT_TRUE(first(plain, transport(true, "hash"), false).starts_with("y,,"));
  EXPECT_TRUE(first(plain, transport(true, "hash"), true).starts_with("n,,"));
  EXPECT_TRUE(first(mechanism::scram_sha_256_plus, transport(true, "hash"), true)
                  .starts_with("p=tls-server-end-point,,n=,r="));
}

TEST(ScramClient, PlusSendsTheCertificateHash) {
  scram_client client({.mechanism = mechanism::scram_sha_256_plus,
                       .transport = transport(true, "hash"),
                       .server_offered_plus = true,
                       .client_nonce = fixed_nonce()});
  ASSERT_TRUE(client.on_server_first(as_bytes(server_first())));
  const auto final = client.provide(pencil());
  ASSERT_TRUE(final);
  EXPECT_TRUE(final->starts_with("c=" + reference::base64("p=tls-server-end-point,,hash") + ",r="));

  scram_client without(
      {.mechanism = mechanism::scram_sha_256_plus, .transport = {}, .client_nonce = fixed_nonce()});
  ASSERT_TRUE(without.on_server_first(as_bytes(server_first())));
  const auto refused = without.provide(pencil());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().source, error_source::gateway);
}

TEST(ScramClient, ChoosesTheStrongestMechanismThatFits) {
  using names = std::vector<std::string_view>;
  const auto choose = [](const names& offered, const client_transport& over) {
    return choose_mechanism(offered, over);
  };
  const names both{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"};
  EXPECT_EQ(choose(both, transport(true, "hash")).value(), mechanism::scram_sha_256_plus);
  EXPECT_EQ(choose(both, transport(true)).value(), mechanism::scram_sha_256);
  EXPECT_EQ(choose({"SCRAM-SHA-256"}, transport(true, "hash")).value(), mechanism::scram_sha_256);
  EXPECT_EQ(choose({"OAUTHBEARER", "SCRAM-SHA-256"}, transport(false)).value(), mechanism::scram_sha_256);
  for (const auto& refused :
       {choose(both, transport(false)), choose({}, transport(true)), choose({"SCRAM-SHA-1"}, transport(true)),
        choose({"SCRAM-SHA-256-PLUS"}, transport(true))}) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, sqlstates::invalid_authorization);
    EXPECT_EQ(refused.error().source, error_source::server);
  }
}

TEST(ScramClient, EveryBadFirstMessageIsRefused) {
  const std::string own = own_nonce();
  const std::string cases[] = {
      "",
      "m=ext,r=" + own + "x,s=AAAA,i=1",
      "r=" + own + ",s=AAAA,i=1",    // the server added nothing
      "r=x" + own + "x,s=AAAA,i=1",  // not our nonce
      "r=" + own.substr(1) + "x,s=AAAA,i=1",
      "r=" + own + "\x7f,s=AAAA,i=1",
      "s=AAAA,i=1",
      "r=" + own + "x",
      "r=" + own + "x,i=1,s=AAAA",
      "r=" + own + "x,s=,i=1",
      "r=" + own + "x,s=A,i=1",
      "r=" + own + "x,s=AAAA",
      "r=" + own + "x,s=AAAA,i=",
      "r=" + own + "x,s=AAAA,i=0",
      "r=" + own + "x,s=AAAA,i=-1",
      "r=" + own + "x,s=AAAA,i=1x",
      "r=" + own + "x,s=AAAA,i=99999999999",
      "r=" + own + "x,s=AAAA,i=" + std::to_string(limits::scram_iterations_max + 1),
      "r=" + own + "x,s=AAAA,i=1,1=garbage",
      "r=" + own + "x,s=AAAA,i=1" + std::string(1, '\0'),
      "r=" + own + "x,s=" + base64_encode(std::vector<std::byte>(limits::scram_salt_bytes_max + 1)) + ",i=1",
      "r=" + own + "x,s=AAAA,i=1,x=" + std::string(limits::login_message_bytes, 'x'),
  };
  for (const std::string& bad : cases) {
    scram_client client = plain_client();
    const auto refused = client.on_server_first(as_bytes(bad));
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().source, error_source::server);
    EXPECT_FALSE(client.provide(pencil())) << "an error is final";
  }
  scram_client client = plain_client();
  EXPECT_TRUE(client.on_server_first(as_bytes("r=" + own + "x,s=AAAA,i=1,x=optional")));
}

TEST(ScramClient, EveryBadFinalMessageIsRefused) {
  const std::string good = server_final();
  std::vector<std::string> cases{
      "v=",        "v=AAAA", "x=1",           "v",
      good + ",1", "e=",     "e=other-error", "v=" + reference::base64(std::string(32, 'x'))};
  for (std::size_t size = 0; size < good.size(); ++size)
    cases.push_back(good.substr(0, size));
  for (std::size_t at = 0; at < good.size(); ++at) {
    cases.push_back(good);
    cases.back()[at] ^= 1;
  }
  for (const std::string& bad : cases) {
    scram_client client = plain_client();
    ASSERT_TRUE(client.on_server_first(as_bytes(server_first())));
    ASSERT_TRUE(client.provide(pencil()));
    EXPECT_FALSE(client.on_server_final(as_bytes(bad))) << bad;
    EXPECT_FALSE(client.server_proved());
    EXPECT_FALSE(client.on_server_final(as_bytes(good))) << "an error is final";
  }
}

TEST(ScramClient, TheServersOwnErrorIsToldInSafeWords) {
  scram_client client = plain_client();
  ASSERT_TRUE(client.on_server_first(as_bytes(server_first())));
  ASSERT_TRUE(client.provide(pencil()));
  const auto refused = client.on_server_final(as_bytes("e=other error\n\x1b[2J" + std::string(5'000, 'x')));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with(
      "error received from server in SCRAM exchange: other error0x0a0x1b[2Jxxx"));
  EXPECT_LT(refused.error().message.size(), 600U);
}

TEST(ScramClient, EveryTruncationOfTheFirstMessageIsRefusedOrAsksForOtherKeys) {
  const std::string first = server_first();
  for (std::size_t size = 0; size < first.size(); ++size) {
    scram_client client = plain_client();
    EXPECT_FALSE(client.on_server_first(as_bytes(first.substr(0, size)))) << size;
  }
}

TEST(ScramClient, RecoveredKeysMustBeThoseOfTheServersVerifier) {
  const byte_span salt_bytes = as_bytes(salt);
  const bound_client_keys recovered{
      .keys = pencil(), .salt = {salt_bytes.begin(), salt_bytes.end()}, .iterations = iterations};
  scram_client same = plain_client();
  ASSERT_TRUE(same.on_server_first(as_bytes(server_first())));
  EXPECT_TRUE(same.provide(recovered));

  bound_client_keys other_salt = recovered;
  other_salt.salt[0] ^= std::byte{1};
  bound_client_keys other_count = recovered;
  other_count.iterations = 8;
  for (const bound_client_keys& other : {other_salt, other_count}) {
    scram_client client = plain_client();
    ASSERT_TRUE(client.on_server_first(as_bytes(server_first())));
    const auto refused = client.provide(other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, sqlstates::invalid_authorization);
    EXPECT_NE(refused.error().message.find("different SCRAM verifier"), std::string::npos);
    EXPECT_FALSE(client.provide(recovered)) << "an error is final";
  }
}

TEST(ScramClient, OrderIsKept) {
  scram_client early_keys = plain_client();
  EXPECT_FALSE(early_keys.provide(pencil()));
  scram_client early_final = plain_client();
  EXPECT_FALSE(early_final.on_server_final(as_bytes(server_final())));
  scram_client twice = plain_client();
  ASSERT_TRUE(twice.on_server_first(as_bytes(server_first())));
  EXPECT_FALSE(twice.on_server_first(as_bytes(server_first())));
}

}  // namespace
}  // namespace trunkline::auth
