// Client and server of this room against each other, and the chain that the gateway builds of them.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "auth/scram_client.h"
#include "auth/scram_server.h"

namespace trunkline::auth {
namespace {

nonce random_nonce() {
  nonce out{};
  for (std::byte& byte : out)
    byte = static_cast<std::byte>(*rc::gen::inRange(0, 256));
  return out;
}

std::vector<std::byte> random_bytes(int least, int most) {
  std::vector<std::byte> out(static_cast<std::size_t>(*rc::gen::inRange(least, most + 1)));
  for (std::byte& byte : out)
    byte = static_cast<std::byte>(*rc::gen::inRange(0, 256));
  return out;
}

std::vector<std::string_view> names(std::span<const mechanism> offered) {
  std::vector<std::string_view> out;
  for (mechanism which : offered)
    out.push_back(name_of(which));
  return out;
}

scram_client client_for(std::span<const mechanism> offered, const client_transport& transport, nonce own) {
  const auto offered_names = names(offered);
  const auto chosen = choose_mechanism(offered_names, transport);
  return scram_client(
      {.mechanism = chosen.value_or(mechanism::scram_sha_256),
       .transport = transport,
       .server_offered_plus = std::ranges::find(offered, mechanism::scram_sha_256_plus) != offered.end(),
       .client_nonce = own});
}

/// Runs both to the end; `keys_for` answers the client's request. True where both sides are content.
template <class Keys>
bool exchange(scram_client& client, mechanism chosen, scram_server& server, Keys keys_for) {
  const auto first = server.start(name_of(chosen), as_bytes(client.client_first()));
  if (!first) return false;
  const auto request = client.on_server_first(as_bytes(first->reply));
  if (!request) return false;
  const auto final = client.provide(keys_for(*request));
  if (!final) return false;
  const auto last = server.respond(as_bytes(*final));
  if (!last || !last->finished) return false;
  return client.on_server_final(as_bytes(last->reply)).has_value() && client.server_proved();
}

RC_GTEST_PROP(ScramExchange, LogsInWithTheRightPasswordOnly,
              (std::string password, std::string other, bool server_binds, bool tls, bool client_binds)) {
  const auto salt = random_bytes(1, 40);
  const auto iterations = *rc::gen::inRange<std::uint32_t>(1, 20);
  const auto hash = random_bytes(32, 64);
  scram_server::options at_server{
      .user = "alice",
      .verifier = verifier_of(derive(password, salt, iterations), salt, iterations),
      .server_nonce = random_nonce(),
      .binding = {}};
  if (server_binds && tls) at_server.binding = hash;
  client_transport transport{.tls = tls, .binding = {}};
  if (client_binds && tls) transport.binding = hash;

  for (const std::string& tried : {password, other}) {
    scram_server server(at_server);
    scram_client client = client_for(server.offered(), transport, random_nonce());
    const auto chosen = choose_mechanism(names(server.offered()), transport).value();
    RC_ASSERT((chosen == mechanism::scram_sha_256_plus) == (tls && server_binds && client_binds));
    const bool in = exchange(client, chosen, server, [&](const key_request& request) {
      return derive(tried, request.salt, request.iterations);
    });
    RC_ASSERT(in == (tried == password));
    RC_ASSERT(server.recovered_keys().has_value() == in);
  }
}

RC_GTEST_PROP(ScramExchange, RecoveredKeysLogInToAServerWithTheSameVerifier, (std::string password)) {
  const auto salt = random_bytes(16, 16);
  const verifier shared = verifier_of(derive(password, salt, 5), salt, 5);
  scram_server gateway(
      {.user = "alice", .verifier = shared, .server_nonce = random_nonce(), .binding = random_bytes(32, 32)});
  const client_transport client_leg{.tls = true, .binding = {}};
  scram_client human = client_for(gateway.offered(), client_leg, random_nonce());
  RC_ASSERT(exchange(human, mechanism::scram_sha_256, gateway, [&](const key_request& request) {
    return derive(password, request.salt, request.iterations);
  }));

  const auto certificate = random_bytes(32, 32);
  scram_server database(
      {.user = "alice", .verifier = shared, .server_nonce = random_nonce(), .binding = certificate});
  scram_client onward = client_for(database.offered(), {.tls = true, .binding = certificate}, random_nonce());
  RC_ASSERT(exchange(onward, mechanism::scram_sha_256_plus, database,
                     [&](const key_request&) { return gateway.recovered_keys().value(); }));

  const verifier other = verifier_of(derive(password, random_bytes(17, 17), 5), salt, 5);
  scram_server stranger({.user = "alice", .verifier = other, .server_nonce = random_nonce(), .binding = {}});
  scram_client refused = client_for(stranger.offered(), {}, random_nonce());
  RC_ASSERT(!exchange(refused, mechanism::scram_sha_256, stranger,
                      [&](const key_request&) { return gateway.recovered_keys().value(); }));
}

TEST(ScramExchange, AMiddlemanWithAnotherCertificateIsFoundOut) {
  const std::vector<std::byte> salt(16, std::byte{7});
  const std::vector<std::byte> ours(32, std::byte{1});
  const std::vector<std::byte> theirs(32, std::byte{2});
  const auto right = [](const key_request& request) { return derive("p", request.salt, request.iterations); };
  const scram_server::options at_server{.user = "alice",
                                        .verifier = verifier_of(derive("p", salt, 2), salt, 2),
                                        .server_nonce = {},
                                        .binding = ours};
  {
    scram_server server(at_server);
    scram_client client = client_for(server.offered(), {.tls = true, .binding = theirs}, {});
    EXPECT_FALSE(exchange(client, mechanism::scram_sha_256_plus, server, right));
  }
  {  // the middleman takes -PLUS off the list: the client says `y`
    scram_server server(at_server);
    scram_client client = client_for(server.offered().subspan(1), {.tls = true, .binding = theirs}, {});
    EXPECT_TRUE(client.client_first().starts_with("y,,"));
    EXPECT_FALSE(exchange(client, mechanism::scram_sha_256, server, right));
  }
}

}  // namespace
}  // namespace trunkline::auth
