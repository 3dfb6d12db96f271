// Durations counted so finely that any percentile can be told afterwards, in fixed memory: buckets of equal
// width inside each power of two, as HdrHistogram has them. Values are microseconds from 0 to 2^36 (19 h) and
// told back at most 0.8 % too large. One owner; one thread at a time.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace trunkline::storm {

class hdr_histogram {
 public:
  using microseconds = std::chrono::microseconds;

  void record(microseconds value) { add(value, 1); }
  /// Of a client that meant to send each `interval`: a long wait also delayed those that it could not send
  /// meanwhile, which are counted with the rest of the wait ("coordinated omission"). 0: as `record`.
  void record_paced(microseconds value, microseconds interval);
  void merge(const hdr_histogram& other);
  void clear() { *this = hdr_histogram(); }

  std::uint64_t count() const { return count_; }
  /// The smallest value that at least this share of all does not exceed; 0 where there is none. `share` is
  /// from 0 to 1.
  microseconds at(double share) const;
  microseconds smallest() const { return microseconds(count_ == 0 ? 0 : smallest_); }
  microseconds largest() const { return microseconds(largest_); }
  microseconds mean() const { return microseconds(count_ == 0 ? 0 : sum_ / count_); }

 private:
  static constexpr unsigned fine_bits = 8;  // 2^8 values are counted exactly, then 2^7 to each octave
  static constexpr unsigned most_bits = 36;
  static constexpr std::size_t half = std::size_t{1} << (fine_bits - 1);
  static constexpr std::size_t bucket_count = 2 * half + (most_bits - fine_bits) * half;

  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t last_of(std::size_t bucket);
  void add(microseconds value, std::uint64_t times);

  std::array<std::uint32_t, bucket_count> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t smallest_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace trunkline::storm
