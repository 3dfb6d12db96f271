#include "runtime/parking_spot.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

namespace trunkline::runtime {

namespace {

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value, const timespec* time) {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), operation | FUTEX_PRIVATE_FLAG, value,
                   time, nullptr, 0);
}

}  // namespace

void parking_spot::park(std::optional<std::chrono::nanoseconds> at_most) {
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + at_most.value_or(std::chrono::nanoseconds{0});
  for (;;) {
    const std::uint32_t state = state_.load(std::memory_order_acquire);
    if (state == awake) return;
    timespec left{};
    if (at_most) {
      const auto wait = std::max(end - clock::now(), clock::duration{0});
      if (wait.count() == 0) break;
      left.tv_sec = wait.count() / 1'000'000'000;
      left.tv_nsec = wait.count() % 1'000'000'000;
    }
    futex(state_, FUTEX_WAIT, state, at_most ? &left : nullptr);
  }
  cancel();
}

void parking_spot::wake() {
  if (state_.exchange(awake, std::memory_order_acq_rel) != awake) futex(state_, FUTEX_WAKE, 1, nullptr);
}

}  // namespace trunkline::runtime
