// What a worker pays for the text of each query: its normal form, a look into the cache, and a parse where
// the text is new.
#include <benchmark/benchmark.h>

#include <string>

#include "sql/effects_cache.h"

namespace trunkline::sql {
namespace {

constexpr std::array<std::byte, 16> secret{std::byte{1}, std::byte{2}, std::byte{3}};

const std::string& text_of(std::int64_t which) {
  static const std::array<std::string, 3> texts{
      "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;",
      "SELECT \"users\".\"id\", \"users\".\"name\", \"users\".\"created_at\" FROM \"users\" INNER JOIN "
      "\"orders\" ON "
      "\"orders\".\"user_id\" = \"users\".\"id\" WHERE \"users\".\"email\" = 'somebody@example.org' AND "
      "\"orders\".\"state\" IN ('open', 'paid', 'sent') AND \"orders\".\"total\" > 1234.56 ORDER BY "
      "\"users\".\"created_at\" DESC LIMIT 20 OFFSET 40",
      [] {
        std::string many = "insert into t (a, b, c) values (1, 'x', now())";
        while (many.size() < 15'000)
          many += ", (123456, 'the quick brown fox jumps over the lazy dog', now())";
        return many;
      }(),
  };
  return texts[static_cast<std::size_t>(which)];
}

void normal_form_of(benchmark::State& state) {
  const normaliser one(secret);
  const std::string& text = text_of(state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(one.shape_of(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(normal_form_of)->DenseRange(0, 2);

void known_text(benchmark::State& state) {
  effects_cache cache(secret);
  const std::string& text = text_of(state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(&cache.look(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(known_text)->DenseRange(0, 2);

void new_text(benchmark::State& state) {
  const std::string& text = text_of(state.range(0));
  for (auto _ : state)
    benchmark::DoNotOptimize(find_effects(text));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(new_text)->DenseRange(0, 2);

/// The worst that fits: each comma a node.
void new_list(benchmark::State& state) {
  std::string text = "select 1";
  while (text.size() + 2 <= limits::sql_text_bytes)
    text += ",1";
  for (auto _ : state)
    benchmark::DoNotOptimize(find_effects(text));
}
BENCHMARK(new_list);

}  // namespace
}  // namespace trunkline::sql
