#include "admin/process_facts.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace trunkline::admin {
namespace {

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::uint64_t count_entries(const char* folder) {
  std::error_code failure;
  std::uint64_t count = 0;
  for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure))
    ++count;
  return count;
}

}  // namespace

process_facts read_process_facts() {
  process_facts made;
  rusage used{};
  if (::getrusage(RUSAGE_SELF, &used) == 0)
    made.cpu_seconds = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
  std::uint64_t pages = 0;
  std::uint64_t resident_pages = 0;
  std::ifstream memory("/proc/self/statm");
  if (memory >> pages >> resident_pages) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    made.virtual_bytes = pages * page;
    made.resident_bytes = resident_pages * page;
  }
  const std::uint64_t open = count_entries("/proc/self/fd");
  made.open_files = open > 0 ? open - 1 : 0;  // without the one that counted
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) made.max_files = limit.rlim_cur;
  return made;
}

}  // namespace trunkline::admin
