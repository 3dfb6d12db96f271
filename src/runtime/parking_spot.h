// Where one thread sleeps until others have something for it. Waking costs a system call only while it sleeps
// (futex(2)). The sleeper looks once more between `prepare` and `park`, so that nothing told meanwhile is
// missed:
//
//     spot.prepare(parking_spot::how::idle);
//     if (there_is_work()) spot.cancel(); else spot.park();
//
// One sleeper; any thread may wake it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace trunkline::runtime {

class parking_spot {
 public:
  /// `resting`: there is work, which may wait; only `hurry` ends that.
  enum class how : std::uint32_t { idle = 1, resting = 2 };

  // ---- the sleeper ----

  void prepare(how state) {
    state_.store(static_cast<std::uint32_t>(state), std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  void cancel() { state_.store(awake, std::memory_order_relaxed); }
  /// Until it is woken or the time is over; without a time, for ever.
  void park(std::optional<std::chrono::nanoseconds> at_most = std::nullopt);

  // ---- the others, after what they have is visible ----

  void notify() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (state_.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(how::idle)) wake();
  }
  /// Also out of a rest.
  void hurry() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (state_.load(std::memory_order_relaxed) != awake) wake();
  }

 private:
  static constexpr std::uint32_t awake = 0;

  void wake();

  std::atomic<std::uint32_t> state_{awake};
};

}  // namespace trunkline::runtime
