// How long a reload with many objects takes.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>

#include <nlohmann/json.hpp>

#include "config/json_tree.h"
#include "config/objects.h"

namespace trunkline::config {
namespace {

const char* const gateway =
    "listeners: [{name: main, address: '0.0.0.0:6432', tls: {certificates: [{certFile: a, keyFile: b}]}}]\n"
    "kubernetes: {objects: {namespaces: ['*']}}\n";

config_object made_of(object_kind kind, std::string name, const std::string& spec) {
  return {.kind = kind,
          .name_space = "team",
          .name = std::move(name),
          .uid = "u",
          .generation = 1,
          .created_seconds = 0,
          .spec = *tree_of(nlohmann::json::parse(spec))};
}

/// 200 upstreams, `routes` routes to them, and as many policies as `policies`.
std::vector<config_object> objects_of(std::size_t routes, std::size_t policies, const char* pattern) {
  std::vector<config_object> made;
  for (std::size_t i = 0; i < 200; ++i)
    made.push_back(
        made_of(object_kind::upstream, fmt::format("db-{}", i),
                R"({"discovery": {"kubernetes": {"service": "pg"}}, "tls": {"caSecret": {"name": "ca"}}, )"
                R"("health": {"user": "w", "passwordSecret": {"name": "w"}}, "pool": {"size": 10}})"));
  for (std::size_t i = 0; i < routes; ++i)
    made.push_back(made_of(
        object_kind::route, fmt::format("app-{}", i),
        fmt::format(
            R"({{"upstream": "db-{}", "match": {{"listener": ["main"], "database": ["app_{}{}"]}}, "auth": )"
            R"({{"method": "scram"}}, "credentials": {{"user": "app", "passwordSecret": {{"name": "app-{}"}}}}, )"
            R"("pooling": "transaction", "settings": {{"statement_timeout": "30s"}}}})",
            i % 200, i, pattern, i)));
  for (std::size_t i = 0; i < policies; ++i)
    made.push_back(made_of(
        object_kind::policy, fmt::format("p-{}", i),
        fmt::format(R"({{"subjects": {{"user": ["u{}"]}}, "objects": {{"route": ["app-{}"]}}}})", i, i)));
  return made;
}

void combine(benchmark::State& state, const std::vector<config_object>& objects) {
  load_options options;
  options.check_files = false;
  options.secret = [](const secret_reference& of) -> result<std::string> { return "/f/" + of.name + of.key; };
  for (auto _ : state) {
    const auto made = load_text_with(gateway, "t", objects, options);
    if (!made.all.value || !made.verdicts.back().accepted()) std::abort();
    benchmark::DoNotOptimize(made);
  }
}

void routes_by_name(benchmark::State& state) {
  combine(state, objects_of(1'000, 0, ""));
}
void routes_by_pattern(benchmark::State& state) {
  combine(state, objects_of(1'000, 0, "_*"));
}
void routes_and_policies(benchmark::State& state) {
  combine(state, objects_of(1'000, 1'000, ""));
}

BENCHMARK(routes_by_name)->Unit(benchmark::kMillisecond);
BENCHMARK(routes_by_pattern)->Unit(benchmark::kMillisecond);
BENCHMARK(routes_and_policies)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace trunkline::config
