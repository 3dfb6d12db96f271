// What one PBKDF2 of a login (4,096 rounds) costs in our loop and in OpenSSL's own function, and what the
// whole server role costs, which runs on a loop thread.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <string>

#include "auth/key_cache.h"
#include "auth/scram_client.h"
#include "auth/scram_keys.h"
#include "auth/scram_server.h"
#include "auth/sha256.h"

namespace trunkline::auth {
namespace {

constexpr std::string_view password = "correct horse battery staple";
constexpr std::string_view salt = "sixteen bytes ok";

void pbkdf2_own_loop(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(pbkdf2_sha256(as_bytes(password), as_bytes(salt), 4096));
}
BENCHMARK(pbkdf2_own_loop)->Unit(benchmark::kMicrosecond);

void pbkdf2_openssl(benchmark::State& state) {
  for (auto _ : state) {
    digest out;
    PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                      reinterpret_cast<const unsigned char*>(salt.data()), static_cast<int>(salt.size()),
                      4096, EVP_sha256(), sha256_bytes, reinterpret_cast<unsigned char*>(out.data()));
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(pbkdf2_openssl)->Unit(benchmark::kMicrosecond);

/// Both roles without PBKDF2: about twice what a login costs a loop when the keys are known.
void exchange_without_pbkdf2(benchmark::State& state) {
  const client_keys keys = derive(password, as_bytes(salt), 4096);
  const verifier known = verifier_of(keys, as_bytes(salt), 4096);
  for (auto _ : state) {
    scram_server server({.user = "alice", .verifier = known});
    scram_client client({.transport = {}});
    const auto first = server.start("SCRAM-SHA-256", as_bytes(client.client_first()));
    const auto request = client.on_server_first(as_bytes(first->reply));
    const auto final = client.provide(keys);
    const auto last = server.respond(as_bytes(*final));
    if (!client.on_server_final(as_bytes(last->reply))) state.SkipWithError("login failed");
  }
}
BENCHMARK(exchange_without_pbkdf2)->Unit(benchmark::kMicrosecond);

void key_cache_hit(benchmark::State& state) {
  key_cache cache(as_bytes("process secret"), 100);
  cache.put("alice", password, as_bytes(salt), 4096, derive(password, as_bytes(salt), 2));
  for (auto _ : state)
    benchmark::DoNotOptimize(cache.find("alice", password, as_bytes(salt), 4096));
}
BENCHMARK(key_cache_hit)->Unit(benchmark::kNanosecond);

}  // namespace
}  // namespace trunkline::auth
