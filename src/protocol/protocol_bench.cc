// What the header walk costs: per message of a row stream, and per exchange of the extended protocol.
#include <benchmark/benchmark.h>

#include "protocol/message_writer.h"
#include "protocol/session_tracker.h"

namespace trunkline::protocol {
namespace {

void append_filler(byte_buffer& out, char type, std::size_t body) {
  message_writer{out, type}.bytes(byte_buffer(body, std::byte{'x'}));
}

/// Messages of `size` bytes in all, walked in chunks of `chunk` bytes, cut wherever the chunk ends.
void rows(benchmark::State& state) {
  const auto size = static_cast<std::size_t>(state.range(0));
  const auto chunk = static_cast<std::size_t>(state.range(1));
  byte_buffer stream;
  std::size_t messages = 0;
  for (; stream.size() < 4 * chunk; ++messages)
    append_filler(stream, 'D', size - 5);
  session_tracker tracker;
  for (auto _ : state) {
    for (byte_span rest{stream}; !rest.empty();) {
      const byte_span now = rest.first(std::min(chunk, rest.size()));
      if (tracker.server_bytes(now) != walk_result::ok) state.SkipWithError("bad");
      rest = rest.subspan(now.size());
    }
  }
  state.counters["per_message"] =
      benchmark::Counter(static_cast<double>(messages),
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * stream.size()));
}
BENCHMARK(rows)->ArgNames({"message", "chunk"})->Args({55, 16 << 10})->Args({1'024, 256 << 10});

/// Parse, Bind, Describe, Execute, Sync; ParseComplete, BindComplete, RowDescription, DataRow,
/// CommandComplete, ReadyForQuery; each side in one chunk, as with `pgbench -M extended`.
void extended_exchange(benchmark::State& state) {
  byte_buffer request;
  append_filler(request, 'P', 60);
  append_filler(request, 'B', 20);
  append_filler(request, 'D', 2);
  append_filler(request, 'E', 5);
  append_filler(request, 'S', 0);
  byte_buffer answer;
  append_filler(answer, '1', 0);
  append_filler(answer, '2', 0);
  append_filler(answer, 'T', 28);
  append_filler(answer, 'D', 12);
  append_filler(answer, 'C', 9);
  message_writer{answer, 'Z'}.u8('I');
  session_tracker tracker;
  for (auto _ : state) {
    if (tracker.client_bytes(request) != walk_result::ok) state.SkipWithError("bad");
    benchmark::DoNotOptimize(tracker.busy());
    if (tracker.server_bytes(answer) != walk_result::ok) state.SkipWithError("bad");
    benchmark::DoNotOptimize(tracker.idle());
  }
}
BENCHMARK(extended_exchange);

void simple_exchange(benchmark::State& state) {
  byte_buffer request;
  append_filler(request, 'Q', 50);
  byte_buffer answer;
  append_filler(answer, 'T', 28);
  append_filler(answer, 'D', 12);
  append_filler(answer, 'C', 9);
  message_writer{answer, 'Z'}.u8('I');
  session_tracker tracker;
  for (auto _ : state) {
    if (tracker.client_bytes(request) != walk_result::ok) state.SkipWithError("bad");
    benchmark::DoNotOptimize(tracker.busy());
    if (tracker.server_bytes(answer) != walk_result::ok) state.SkipWithError("bad");
    benchmark::DoNotOptimize(tracker.idle());
  }
}
BENCHMARK(simple_exchange);

}  // namespace
}  // namespace trunkline::protocol
