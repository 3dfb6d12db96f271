// What the audit thread needs for one exchange of a prepared statement (Bind, Describe, Execute,
// CommandComplete and its end, in one record), without and with its line, and with the line on disk in group
// commits of 750 exchanges, as many as 75,000 transactions a second bring in 10 ms.
#include <benchmark/benchmark.h>

#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>

#include "audit/file_sink.h"
#include "audit/session_model.h"

namespace trunkline::audit {
namespace {

constexpr std::size_t batch = 750;
constexpr std::size_t sessions = 16;

class no_sink final : public line_sink {
 public:
  no_sink() : line_sink("host") {}

 private:
  bool write() override { return true; }
};

struct to_sink final : session_model::output {
  line_sink* sink = nullptr;

  void event(std::string_view body, const event_facts& facts) override {
    if (sink != nullptr) sink->add(body, facts);
    benchmark::DoNotOptimize(body.data());
  }
  void span(span_record) override {}
  void lost(std::uint64_t) override {}
};

void write(tap& to, tap_kind kind, char type, std::uint64_t session, std::uint64_t request,
           std::string_view body) {
  to.write({.kind = kind, .type = type, .session = session, .request = request, .length = body.size()},
           as_bytes(body));
}

using namespace std::string_view_literals;

void prepare(tap& to, std::uint64_t session) {
  rare_event start{session, std::chrono::steady_clock::now(), session_started{}};
  auto& what = std::get<session_started>(start.what);
  what.principal = what.user = "postgres";
  what.database = "postgres";
  to.write(std::make_unique<rare_event>(std::move(start)));
  constexpr auto parse = "P_0\0SELECT abalance FROM pgbench_accounts WHERE aid = $1;\0\0\0"sv;
  write(to, tap_kind::client_message, 'P', session, 1, parse);
}

void gather(std::string& payload, gathered_message head, std::string_view body) {
  head.size = static_cast<std::uint32_t>(body.size());
  payload.append(reinterpret_cast<const char*>(&head), sizeof head);
  payload += body;
}

void exchange(tap& to, std::uint64_t session, std::uint64_t& request) {
  constexpr auto bind =
      "\0P_0\0\0\0\0\x01\0\0\0\x05"
      "48213\0\0"sv;
  static std::string payload;
  payload.resize(sizeof(telemetry::exchange_facts));
  gather(payload, {.request = request + 1, .type = 'B', .from_client = true}, bind);
  gather(payload, {.request = request + 2, .type = 'D', .from_client = true}, "P\0"sv);
  gather(payload, {.request = request + 3, .type = 'E', .from_client = true}, "\0\0\0\0\0"sv);
  gather(payload, {.request = request + 3, .type = 'C'}, "SELECT 1\0"sv);
  request += 4;
  telemetry::exchange_facts facts;
  facts.began = std::chrono::steady_clock::now();
  facts.total = std::chrono::microseconds{63};
  facts.at(telemetry::phase::gateway) = std::chrono::microseconds{4};
  facts.at(telemetry::phase::network) = std::chrono::microseconds{20};
  facts.at(telemetry::phase::server) = std::chrono::microseconds{37};
  facts.at(telemetry::phase::transfer) = std::chrono::microseconds{1};
  facts.bytes_in = 67;
  facts.bytes_out = 83;
  facts.last_request = request;
  facts.kind = telemetry::exchange_kind::extended;
  std::memcpy(payload.data(), &facts, sizeof facts);
  to.write({.kind = tap_kind::exchange_end, .session = session, .request = request}, as_bytes(payload));
}

double thread_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Processor time of the reading side only.
void run(benchmark::State& state, line_sink* sink) {
  tap ring(8 << 20);
  to_sink output;
  output.sink = sink;
  session_model model({"01234567", "gateway-0"}, output);
  config::audit how;
  model.configure(how, true, false);
  model.set_clock(std::chrono::system_clock::now().time_since_epoch() -
                  std::chrono::steady_clock::now().time_since_epoch());
  std::array<std::uint64_t, sessions> requests{};
  for (std::size_t i = 0; i < sessions; ++i) {
    prepare(ring, i + 1);
    requests[i] = 2;
  }
  const auto take = [&](const tap_header& head, byte_span payload) { model.record(0, head, payload); };
  for (auto _ : state) {
    for (std::size_t i = 0; i < batch; ++i)
      exchange(ring, i % sessions + 1, requests[i % sessions]);
    ring.publish();
    const double before = thread_seconds();
    if (sink != nullptr) sink->begin_batch(std::chrono::steady_clock::now(), false);
    while (ring.read(256 << 10, take) != 0) {
    }
    if (sink != nullptr && !sink->commit(std::chrono::steady_clock::now()))
      state.SkipWithError("not written");
    model.release();
    state.SetIterationTime((thread_seconds() - before) / batch);
  }
}

void event_only(benchmark::State& state) {
  run(state, nullptr);
}
BENCHMARK(event_only)->UseManualTime()->Iterations(400);

void line_in_memory(benchmark::State& state) {
  no_sink sink;
  run(state, &sink);
}
BENCHMARK(line_in_memory)->UseManualTime()->Iterations(400);

void line_on_disk(benchmark::State& state) {
  const auto folder = std::filesystem::temp_directory_path() / "trunkline-audit-bench";
  std::filesystem::remove_all(folder);
  config::audit_sink how;
  how.path = folder;
  auto sink = file_sink::open(how, "gateway-0");
  if (!sink) return state.SkipWithError(sink.error().message.c_str());
  run(state, sink->get());
  sink->reset();
  std::filesystem::remove_all(folder);
}
BENCHMARK(line_on_disk)->UseManualTime()->Iterations(400);

}  // namespace
}  // namespace trunkline::audit
