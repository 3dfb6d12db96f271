// What Linux knows of this process (proc(5)). Any thread.
#pragma once

#include <cstdint>

namespace trunkline::admin {

struct process_facts {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t virtual_bytes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t max_files = 0;
};

/// What cannot be read is 0.
process_facts read_process_facts();

}  // namespace trunkline::admin
