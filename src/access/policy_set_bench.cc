// What a login pays for its access policies: a decision among 1,000 of them, of which the last that fits
// decides, or none does.
#include <benchmark/benchmark.h>

#include <string>

#include "access/policy_set.h"
#include "config/load.h"

namespace trunkline::access {
namespace {

/// 1,000 policies: for users by name, for groups, and with wildcards.
config::snapshot settings_with(const std::string& subjects) {
  std::string text =
      "listeners: [{name: main, address: 'unix:/run/t.sock'}]\n"
      "upstreams: [{name: db, endpoints: ['db:1']}]\n"
      "routes: [{name: people, upstream: db, auth: {method: jwt, jwt: {issuer: 'https://i', audience: a, "
      "groupsClaim: g}}}]\n"
      "access:\n  policies:\n";
  for (int i = 0; i < 1'000; ++i) {
    std::string of = subjects;
    for (auto at = of.find('#'); at != std::string::npos; at = of.find('#'))
      of.replace(at, 1, std::to_string(i));
    text += "  - {name: p" + std::to_string(i) + ", subjects: {" + of +
            "}, objects: {database: 'app*'}, source: " +
            "10.0.0.0/8, hours: {from: '00:00', until: '23:59', timeZone: UTC}}\n";
  }
  config::load_options options;
  options.check_files = false;
  return config::load_text(text, "bench", options).value;
}

void decide(benchmark::State& state, const std::string& subjects, const char* principal) {
  const auto settings = settings_with(subjects);
  const auto set = *policy_set::build(*settings);
  const auth::identity who{.principal = principal, .groups = {"all-staff", "group-998", "oncall"}};
  question asked;
  asked.who = &who;
  asked.user = "app";
  asked.database = "app_main";
  asked.route = &settings->routes[0];
  asked.source = config::ip_address::parse("10.1.2.3");
  asked.when = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30) + std::chrono::hours(12);
  for (auto _ : state)
    benchmark::DoNotOptimize(set->decide(asked));
}
BENCHMARK_CAPTURE(decide, user_by_name, "user: user-#@example.org", "user-999@example.org");
BENCHMARK_CAPTURE(decide, group_by_name, "group: group-#", "somebody@example.org");
BENCHMARK_CAPTURE(decide, user_by_wildcard, "user: 'user-#@*'", "user-999@example.org");
BENCHMARK_CAPTURE(decide, user_by_suffix, "user: '*-#@example.org'", "user-999@example.org");
BENCHMARK_CAPTURE(decide, nobody, "user: 'user-#@*'", "mallory@example.com");

}  // namespace
}  // namespace trunkline::access
