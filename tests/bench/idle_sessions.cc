// Opens many sessions, lets each run one statement, says so, and leaves them idle until its input ends.
//
// Usage: idle_sessions --port P --count N [--tls] [--user U] [--password P] [--database D]

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "load_session.h"

namespace {

using trunkline::bench::load_session;
using trunkline::bench::login_plan;

/// Opens until `count` sessions are taken or one fails; several threads share the counter.
void open_some(login_plan& plan, std::size_t count, std::atomic<std::size_t>& taken,
               std::vector<std::unique_ptr<load_session>>& open, std::string& why) {
  while (taken.fetch_add(1) < count) {
    auto one = std::make_unique<load_session>(plan);
    if (!one->login(nullptr) || !one->query("SELECT 1")) {
      why = one->why();
      return;
    }
    open.push_back(std::move(one));
  }
}

}  // namespace

int main(int argc, char** argv) {
  login_plan plan;
  std::size_t count = 1000;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--tls") {
      plan.tls = true;
      continue;
    }
    const char* value = i + 1 < argc ? argv[++i] : "";
    if (name == "--port") plan.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--count") count = static_cast<std::size_t>(std::atoi(value));
    if (name == "--user") plan.user = value;
    if (name == "--password") plan.password = value;
    if (name == "--database") plan.database = value;
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  constexpr std::size_t threads = 8;
  std::atomic<std::size_t> taken = 0;
  std::vector<std::vector<std::unique_ptr<load_session>>> open(threads);
  std::vector<std::string> why(threads);
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] { open_some(plan, count, taken, open[i], why[i]); });
    }
  }
  std::size_t total = 0;
  for (const auto& some : open)
    total += some.size();
  for (const std::string& one : why) {
    if (!one.empty()) std::fprintf(stderr, "idle_sessions: %s\n", one.c_str());
  }
  std::printf("ready %zu\n", total);
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return total == count ? 0 : 1;
}
