// Timers of one loop: an intrusive binary heap. Arming and disarming allocate nothing but the heap's own
// growth. A timer costs nothing while its connection is busy: do not move it for each byte; when it fires,
// look whether the deadline has moved meanwhile and arm it again. Owner: one loop thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace trunkline::runtime {

/// Monotonic time; each loop reads the clock once per batch of events (`loop::now`).
using time_point = std::chrono::steady_clock::time_point;
using duration = std::chrono::steady_clock::duration;

class timer_queue;

/// Fires once, on the loop's thread, at or after `deadline`. Destroying it disarms it.
class timer {
 public:
  using callback = void (*)(void* context);

  timer(timer_queue& queue, callback call, void* context) : queue_(&queue), call_(call), context_(context) {}
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;
  ~timer() { disarm(); }

  void arm(time_point deadline);
  void disarm();
  bool armed() const { return index_ != not_armed; }
  time_point deadline() const { return deadline_; }

 private:
  friend class timer_queue;
  static constexpr std::size_t not_armed = static_cast<std::size_t>(-1);

  timer_queue* queue_;
  callback call_;
  void* context_;
  time_point deadline_{};
  std::size_t index_ = not_armed;
};

class timer_queue {
 public:
  bool empty() const { return heap_.empty(); }
  /// Precondition: not empty.
  time_point next_deadline() const { return heap_.front()->deadline_; }
  /// Fires every timer whose deadline is not after `now`; one that is armed meanwhile waits for the next call
  /// unless it too is due.
  void fire(time_point now);

 private:
  friend class timer;
  void add(timer* which);
  void remove(timer* which);
  void sift_up(std::size_t index);
  void sift_down(std::size_t index);
  void place(timer* which, std::size_t index);

  std::vector<timer*> heap_;
};

}  // namespace trunkline::runtime
