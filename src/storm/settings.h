// What a storm is to be. Plain values; built by the command line.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/limits.h"
#include "storm/profile.h"
#include "storm/workload.h"

namespace trunkline::storm {

struct settings {
  std::size_t clients = 50;                    ///< 1 to limits::storm_clients
  std::chrono::milliseconds duration{30'000};  ///< of the load, of all paths together
  profile shape = profile::steady;
  workload_mix mix = workload_mix::usual();
  bool short_lived = false;  ///< each round of a client has a connection of its own

  double rate = 1'000;                    ///< rounds a second, of all clients together
  double login_rate = 200;                ///< logins a second, of all clients together
  std::chrono::milliseconds late{2'000};  ///< an answer, or a step of a login, that takes longer is a finding
  std::chrono::milliseconds timeout{10'000};              ///< silence of this length is a missing answer
  std::chrono::milliseconds idle{5'000};                  ///< the longest silence of an idle client
  std::uint32_t rows = 20;                                ///< of a usual result
  std::uint64_t bulk_bytes = 4 * 1024 * 1024;             ///< of a large result
  std::uint64_t read_bytes_per_second = 4 * 1024 * 1024;  ///< how fast a slow reader takes it
  std::uint64_t memory_bytes = 1024ULL * 1024 * 1024;     ///< of this process; no more clients beyond it
  std::uint64_t seed = 1;
};

}  // namespace trunkline::storm
