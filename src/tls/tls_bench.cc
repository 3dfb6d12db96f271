// What TLS costs: per byte, per small exchange, per handshake, and in memory per idle session.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <fstream>

#include "tls/test_support.h"

namespace trunkline::tls {
namespace {

using test::bytes;
using test::link;
using test::world;

world& shared() {
  static world one;
  return one;
}

link established() {
  link made = shared().join();
  if (!made.handshake()) throw std::runtime_error("handshake");
  made.server_sends(as_bytes("x"));
  made.client_receives();  // tickets are out of the way
  return made;
}

void encrypt(benchmark::State& state) {
  link one = established();
  const bytes plain = test::pattern(static_cast<std::size_t>(state.range(0)));
  bytes space(plain.size() + record_overhead * (1 + plain.size() / record_plaintext));
  for (auto _ : state)
    benchmark::DoNotOptimize(one.server.encrypt(plain, space).produced);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encrypt)->Arg(100)->Arg(1400)->Arg(16 * 1024)->Arg(256 * 1024);

void encrypt_and_decrypt(benchmark::State& state) {
  link one = established();
  const bytes plain = test::pattern(static_cast<std::size_t>(state.range(0)));
  bytes cipher(plain.size() + record_overhead * (1 + plain.size() / record_plaintext));
  bytes back(plain.size());
  for (auto _ : state) {
    const step sent = one.client.encrypt(plain, cipher);
    const step got = one.server.decrypt(byte_span(cipher).first(sent.produced), back);
    if (got.produced != plain.size()) state.SkipWithError("short");
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encrypt_and_decrypt)->Arg(100)->Arg(1400)->Arg(16 * 1024)->Arg(256 * 1024);

/// Both sides' CPU in one thread; `resumed` with a ticket.
void handshake(benchmark::State& state, bool resumed) {
  const auto server = shared().server_side();
  auto client = shared().client_side();
  for (auto _ : state) {
    if (!resumed) {
      state.PauseTiming();
      client = shared().client_side();
      state.ResumeTiming();
    }
    link one{client->connect("db.example.org", negotiation::direct), server->accept(negotiation::direct)};
    if (!one.handshake()) state.SkipWithError("handshake");
    one.client_receives();
    benchmark::DoNotOptimize(one.client.session_reused());
  }
}
BENCHMARK_CAPTURE(handshake, full, false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(handshake, resumed, true)->Unit(benchmark::kMicrosecond);

world& with_rsa() {
  static world one;
  static const bool done = [] {
    one.server.certificates = {one.source("rsa", {"db.example.org"}, key_kind::rsa_2048)};
    return true;
  }();
  benchmark::DoNotOptimize(done);
  return one;
}

/// The server's half alone, which is what a listener pays.
void server_handshake(benchmark::State& state, world& where, bool resumed) {
  const auto server = where.server_side();
  auto client = where.client_side();
  const test::cut cuts{.output = 8 * 1024};
  for (auto _ : state) {
    state.PauseTiming();
    if (!resumed) client = where.client_side();
    link one{client->connect("db.example.org", negotiation::direct), server->accept(negotiation::direct)};
    test::advance(one.client, one.to_client, one.to_server, cuts);
    state.ResumeTiming();
    test::advance(one.server, one.to_server, one.to_client, cuts);
    state.PauseTiming();
    test::advance(one.client, one.to_client, one.to_server, cuts);
    state.ResumeTiming();
    if (test::advance(one.server, one.to_server, one.to_client, cuts) != status::ok)
      state.SkipWithError("handshake");
    state.PauseTiming();
    one.client_receives();
    state.ResumeTiming();
  }
}
BENCHMARK_CAPTURE(server_handshake, ecdsa_full, shared(), false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(server_handshake, ecdsa_resumed, shared(), true)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(server_handshake, rsa_full, with_rsa(), false)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(server_handshake, rsa_resumed, with_rsa(), true)->Unit(benchmark::kMicrosecond);

std::size_t allocated() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

std::size_t resident() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0;
  std::size_t pages = 0;
  file >> total >> pages;
  return pages * 4096;
}

/// One engine of each role after a short exchange, told apart by which is destroyed first.
void idle_memory(benchmark::State& state) {
  constexpr std::size_t count = 2000;
  const auto server = shared().server_side();
  for (auto _ : state) {
    const auto client = shared().client_side();
    std::vector<std::unique_ptr<engine>> clients;
    std::vector<std::unique_ptr<engine>> servers;
    clients.reserve(count);
    servers.reserve(count);
    established();  // what OpenSSL sets up once
    const std::size_t before = allocated();
    const std::size_t resident_before = resident();
    for (std::size_t i = 0; i < count; ++i) {
      link one{client->connect("db.example.org", negotiation::direct), server->accept(negotiation::direct)};
      if (!one.handshake()) state.SkipWithError("handshake");
      one.server_sends(as_bytes("hello"));
      one.client_receives();
      one.client_sends(as_bytes("hello"));
      one.server_receives();
      clients.push_back(std::make_unique<engine>(std::move(one.client)));
      servers.push_back(std::make_unique<engine>(std::move(one.server)));
    }
    const std::size_t both = allocated();
    const std::size_t resident_after = resident();
    servers.clear();
    const std::size_t without_servers = allocated();
    state.counters["server_bytes"] = static_cast<double>(both - without_servers) / count;
    state.counters["resident_bytes_of_pair"] = static_cast<double>(resident_after - resident_before) / count;
    state.counters["client_bytes"] = static_cast<double>(without_servers - before) / count;
  }
}
BENCHMARK(idle_memory)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace trunkline::tls
