// Logs in and out as fast as the peer allows and prints one line of JSON: logins, seconds, latencies.
//
// Usage: login_load --port P --clients N --seconds S [--user U] [--password P] [--database D]
//                   [--tls] [--resume] [--tls12] [--cert FILE --key FILE]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

#include "load_session.h"

namespace {

using steady = std::chrono::steady_clock;
using trunkline::bench::load_session;
using trunkline::bench::login_plan;

struct tally {
  std::vector<double> seconds;
  std::size_t resumed = 0;
  std::size_t failed = 0;
  std::string why;
};

void log_in_until(steady::time_point end, login_plan& plan, tally& sum) {
  SSL_SESSION* ticket = nullptr;
  while (steady::now() < end) {
    load_session one(plan);
    const auto begin = steady::now();
    if (!one.login(&ticket)) {
      ++sum.failed;
      sum.why = one.why();
      if (sum.failed > 20) break;  // nothing answers; do not spin
      continue;
    }
    sum.seconds.push_back(std::chrono::duration<double>(steady::now() - begin).count());
    sum.resumed += one.resumed() ? 1 : 0;
    one.end();
  }
  SSL_SESSION_free(ticket);
}

void print(const std::vector<tally>& tallies, double elapsed) {
  tally all;
  for (const tally& one : tallies) {
    all.seconds.insert(all.seconds.end(), one.seconds.begin(), one.seconds.end());
    all.resumed += one.resumed;
    all.failed += one.failed;
    if (!one.why.empty()) all.why = one.why;
  }
  std::sort(all.seconds.begin(), all.seconds.end());
  double total = 0;
  for (const double each : all.seconds)
    total += each;
  const std::size_t count = all.seconds.size();
  const double mean = count == 0 ? 0 : total / static_cast<double>(count);
  const double p99 = count == 0 ? 0 : all.seconds[std::min(count - 1, count * 99 / 100)];
  for (char& c : all.why)
    c = c < ' ' || c == '"' || c == '\\' ? ' ' : c;
  std::printf("{\"logins\": %zu, \"resumed\": %zu, \"failed\": %zu, \"seconds\": %.6f, ", count, all.resumed,
              all.failed, elapsed);
  std::printf("\"mean\": %.6f, \"p99\": %.6f, \"why\": \"%s\"}\n", mean, p99, all.why.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  login_plan plan;
  std::size_t clients = 4;
  double seconds = 2;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--tls" || name == "--resume") {
      plan.tls = true;
      plan.resume = plan.resume || name == "--resume";
      continue;
    }
    if (name == "--tls12") {
      plan.tls12 = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : "";
    if (name == "--port") plan.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--clients") clients = static_cast<std::size_t>(std::atoi(value));
    if (name == "--seconds") seconds = std::atof(value);
    if (name == "--user") plan.user = value;
    if (name == "--password") plan.password = value;
    if (name == "--database") plan.database = value;
    if (name == "--cert") plan.certificate_file = value;
    if (name == "--key") plan.key_file = value;
  }
  if (plan.port == 0 || clients == 0) {
    std::fprintf(stderr, "usage: login_load --port P --clients N --seconds S [--tls] [--resume] [--tls12]\n");
    return 2;
  }
  plan.tls = plan.tls || !plan.certificate_file.empty();
  std::vector<tally> tallies(clients);
  const auto begin = steady::now();
  const auto end =
      begin + std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(seconds));
  {
    std::vector<std::jthread> threads;
    for (tally& one : tallies)
      threads.emplace_back([&plan, &one, end] { log_in_until(end, plan, one); });
  }
  print(tallies, std::chrono::duration<double>(steady::now() - begin).count());
  return 0;
}
