#include "storm/hdr_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/limits.h"

namespace trunkline::storm {

std::size_t hdr_histogram::bucket_of(std::uint64_t value) {
  if (value < 2 * half) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - fine_bits;
  return 2 * half + (shift - 1) * half + ((value >> shift) - half);
}

std::uint64_t hdr_histogram::last_of(std::size_t bucket) {
  if (bucket < 2 * half) return bucket;
  const std::size_t shift = (bucket - 2 * half) / half + 1;
  const std::size_t within = (bucket - 2 * half) % half + half;
  return ((within + 1) << shift) - 1;
}

void hdr_histogram::add(microseconds value, std::uint64_t times) {
  constexpr std::uint64_t most = (std::uint64_t{1} << most_bits) - 1;
  const auto size =
      std::min<std::uint64_t>(static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), 0)), most);
  buckets_[bucket_of(size)] += static_cast<std::uint32_t>(times);
  smallest_ = count_ == 0 ? size : std::min(smallest_, size);
  largest_ = std::max(largest_, size);
  count_ += times;
  sum_ += size * times;
}

void hdr_histogram::record_paced(microseconds value, microseconds interval) {
  add(value, 1);
  if (interval.count() <= 0) return;
  auto rest = value - interval;
  for (std::size_t made = 0; rest >= interval && made < limits::storm_paced_records; ++made, rest -= interval)
    add(rest, 1);
}

void hdr_histogram::merge(const hdr_histogram& other) {
  if (other.count_ == 0) return;
  for (std::size_t i = 0; i < buckets_.size(); ++i)
    buckets_[i] += other.buckets_[i];
  smallest_ = count_ == 0 ? other.smallest_ : std::min(smallest_, other.smallest_);
  largest_ = std::max(largest_, other.largest_);
  count_ += other.count_;
  sum_ += other.sum_;
}

hdr_histogram::microseconds hdr_histogram::at(double share) const {
  if (count_ == 0) return microseconds(0);
  const auto wanted =
      static_cast<std::uint64_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= std::max<std::uint64_t>(wanted, 1)) return microseconds(std::min(last_of(bucket), largest_));
  }
  return microseconds(largest_);
}

}  // namespace trunkline::storm
