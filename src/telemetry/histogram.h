// Counters and histograms that one thread writes and any thread reads: relaxed loads and stores, no locked
// instruction on the road. A reader may see a histogram in the middle of a change; each of its numbers is
// right, and the next scrape sees the rest.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "telemetry/idle_timers.h"

namespace trunkline::telemetry {

/// Only its owner adds; any thread reads.
class counter {
 public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

namespace detail {

/// For each octave (by bit width; 0 holds the value 0) the number of bounds that lie below all of it, and how
/// many at most lie inside one.
template <std::size_t Count>
struct bucket_table {
  std::array<std::uint8_t, 64> below{};
  std::array<std::uint64_t, 2 * Count + 1> bounds{};
  std::size_t most_inside = 0;
};

template <std::size_t Count>
constexpr bucket_table<Count> make_bucket_table(const std::array<std::int64_t, Count>& bounds) {
  static_assert(Count < 256);
  bucket_table<Count> made;
  made.bounds.fill(std::numeric_limits<std::uint64_t>::max());
  for (std::size_t i = 0; i < Count; ++i)
    made.bounds[i] = static_cast<std::uint64_t>(bounds[i]);
  for (std::size_t width = 0; width < made.below.size(); ++width) {
    const std::uint64_t least = width == 0 ? 0 : std::uint64_t{1} << (width - 1);
    const std::uint64_t most = width == 0 ? 0 : least + (least - 1);
    std::size_t inside = 0;
    for (std::size_t i = 0; i < Count; ++i) {
      if (made.bounds[i] < least) ++made.below[width];
      if (made.bounds[i] >= least && made.bounds[i] < most) ++inside;
    }
    made.most_inside = std::max(made.most_inside, inside);
  }
  return made;
}

template <const auto& Bounds>
inline constexpr auto bucket_table_of = make_bucket_table(Bounds);

}  // namespace detail

/// Which bucket a value falls into: the index of the first bound that is not below it. The octave of the
/// value names the bounds that are certainly below; what is left is one comparison for each bound that an
/// octave can hold (for `bounds::latency` a single one), without a branch that could be guessed wrong
/// (telemetry_bench.cc).
template <const auto& Bounds>
constexpr std::size_t bucket_of(std::int64_t value) {
  constexpr const auto& table = detail::bucket_table_of<Bounds>;
  const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
  const std::size_t first = table.below[static_cast<std::size_t>(std::bit_width(size))];
  std::size_t index = first;
  for (std::size_t i = 0; i < table.most_inside; ++i)
    index += size > table.bounds[first + i] ? 1 : 0;
  return index;
}

/// A classic histogram; `Bounds` are the upper bounds in nanoseconds, ascending, without +Inf.
template <const auto& Bounds>
class histogram {
 public:
  static constexpr std::size_t bucket_count = Bounds.size() + 1;

  void record(std::chrono::nanoseconds value) {
    const std::int64_t size = std::max<std::int64_t>(value.count(), 0);
    buckets_[bucket_of<Bounds>(size)].add();
    sum_ns_.add(static_cast<std::uint64_t>(size));
  }

  static constexpr std::span<const std::int64_t> bounds() { return Bounds; }
  /// Not cumulative; the last one is +Inf.
  std::uint64_t bucket(std::size_t index) const { return buckets_[index].value(); }
  std::uint64_t sum_ns() const { return sum_ns_.value(); }

 private:
  std::array<counter, bucket_count> buckets_;
  counter sum_ns_;
};

namespace bounds {
inline constexpr std::int64_t us = 1'000;
inline constexpr std::int64_t ms = 1'000'000;
inline constexpr std::int64_t s = 1'000'000'000;
/// interfaces.md, "Metrics": from 50 us to 60 s.
inline constexpr std::array<std::int64_t, 19> latency{
    50 * us,  100 * us, 250 * us, 500 * us, 1 * ms,     2'500 * us, 5 * ms, 10 * ms, 25 * ms, 50 * ms,
    100 * ms, 250 * ms, 500 * ms, 1 * s,    2'500 * ms, 5 * s,      10 * s, 30 * s,  60 * s};
/// A bucket for each of the timers that end idle flows (idle_timers.h), and one for what lies between two.
inline constexpr auto idle_death = idle_timer_bounds();
}  // namespace bounds

using latency_histogram = histogram<bounds::latency>;
using idle_death_histogram = histogram<bounds::idle_death>;

}  // namespace trunkline::telemetry
