// What it costs the road to count: finding a bucket, recording the six phases of an exchange, and asking the
// flight recorder. Values are drawn beforehand, as mixed as those of a busy route.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "telemetry/flight_recorder.h"
#include "telemetry/route_metrics.h"

namespace trunkline::telemetry {
namespace {

/// Log-normal around `median`, in nanoseconds; `spread` 0: always the same.
std::vector<std::int64_t> durations(double median, double spread) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> draw(std::log(median), spread);
  std::vector<std::int64_t> made(4'096);
  for (auto& each : made)
    each = static_cast<std::int64_t>(draw(random));
  return made;
}

std::size_t by_octave(std::int64_t value) {
  return bucket_of<bounds::latency>(value);
}
std::size_t linear(std::int64_t value) {
  std::size_t index = 0;
  while (index < bounds::latency.size() && value > bounds::latency[index])
    ++index;
  return index;
}
std::size_t binary(std::int64_t value) {
  return static_cast<std::size_t>(std::lower_bound(bounds::latency.begin(), bounds::latency.end(), value) -
                                  bounds::latency.begin());
}

template <std::size_t (*Search)(std::int64_t)>
void search(benchmark::State& state) {
  const auto values =
      durations(static_cast<double>(state.range(0)) * 1'000, static_cast<double>(state.range(1)) / 10);
  std::size_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Search(values[at]));
    at = (at + 1) & (values.size() - 1);
  }
}
BENCHMARK(search<linear>)
    ->ArgNames({"median_us", "spread10"})
    ->Args({20, 0})
    ->Args({300, 15})
    ->Args({20'000, 30});
BENCHMARK(search<binary>)
    ->ArgNames({"median_us", "spread10"})
    ->Args({20, 0})
    ->Args({300, 15})
    ->Args({20'000, 30});
BENCHMARK(search<by_octave>)
    ->ArgNames({"median_us", "spread10"})
    ->Args({20, 0})
    ->Args({300, 15})
    ->Args({20'000, 30});

void record_exchange(benchmark::State& state) {
  const auto route = std::make_unique<route_metrics>();
  const auto values = durations(300'000, 1.5);
  std::size_t at = 0;
  for (auto _ : state) {
    for (auto& each : route->exchange_seconds) {
      each.record(nanoseconds{values[at]});
      at = (at + 1) & (values.size() - 1);
    }
    route->exchanges[0].add();
  }
}
BENCHMARK(record_exchange);

void offer_to_the_flight_recorder(benchmark::State& state) {
  flight_recorder recorder;
  const auto values = durations(300'000, 1.5);
  const std::chrono::steady_clock::time_point now{std::chrono::hours{1}};
  std::size_t at = 0;
  exchange_facts facts;
  facts.began = now;
  for (auto _ : state) {
    facts.total = nanoseconds{values[at]};
    at = (at + 1) & (values.size() - 1);
    if (!recorder.wants(facts)) continue;
    flight_record record;
    record.facts = facts;
    record.statement = "select abalance from pgbench_accounts where aid = 4711";
    recorder.keep(std::move(record), now);
  }
}
BENCHMARK(offer_to_the_flight_recorder);

}  // namespace
}  // namespace trunkline::telemetry
