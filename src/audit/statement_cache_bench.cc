// What the audit thread pays for a statement's text, and for telling the index of a line.
#include <benchmark/benchmark.h>

#include <filesystem>
#include <string>

#include "audit/index_writer.h"
#include "audit/statement_cache.h"

namespace trunkline::audit {
namespace {

const std::string query =
    "SELECT abalance FROM pgbench_accounts WHERE aid = $1 AND bid = $2 AND filler <> 'x'";

void known_text(benchmark::State& state) {
  statement_cache cache(64 << 20, true);
  for (auto _ : state)
    benchmark::DoNotOptimize(cache.look(query));
}
BENCHMARK(known_text);

void known_shape(benchmark::State& state) {
  statement_cache cache(64 << 20, true);
  std::uint64_t number = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        cache.look("SELECT abalance FROM pgbench_accounts WHERE aid = " + std::to_string(++number)));
}
BENCHMARK(known_shape);

void new_shape(benchmark::State& state) {
  statement_cache cache(64 << 20, true);
  std::uint64_t number = 0;
  for (auto _ : state)
    benchmark::DoNotOptimize(
        cache.look("SELECT abalance FROM t" + std::to_string(++number) + " WHERE aid = 1"));
}
BENCHMARK(new_shape);

void index_line(benchmark::State& state) {
  const auto folder = std::filesystem::temp_directory_path() / "trunkline-index-bench";
  std::filesystem::create_directories(folder);
  {
    index_writer writer(folder.string());
    writer.begin_segment("audit-20260101T000000Z-000000000001.jsonl");
    std::uint64_t offset = 0;
    std::uint64_t number = 0;
    line_facts facts;
    facts.event = "exchange";
    facts.principal = "alice";
    facts.database = "app";
    facts.fingerprint = "0123456789abcdef";
    facts.normalised = query;
    std::string session;
    for (auto _ : state) {
      session = "1a2b3c4d-";
      session += static_cast<char>('0' + ++number % 16);
      facts.session = session;
      writer.line(offset, 400, facts);
      offset += 400;
    }
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(index_line);

}  // namespace
}  // namespace trunkline::audit
