#include "protocol/request_ring.h"

#include <algorithm>

namespace trunkline::protocol {

request_ring::request_ring(const request_ring& other)
    : own_(other.own_), capacity_(other.capacity_), first_(other.first_), size_(other.size_) {
  if (other.grown_ == nullptr) return;
  grown_ = std::make_unique<std::uint64_t[]>(capacity_ / per_word);
  std::copy_n(other.grown_.get(), capacity_ / per_word, grown_.get());
}

void request_ring::clear() {
  size_ = 0;
  shrink();
}

void request_ring::grow() {
  const std::uint32_t larger = capacity_ * 4;
  auto words = std::make_unique<std::uint64_t[]>(larger / per_word);
  request_ring into;
  into.grown_ = std::move(words);
  into.capacity_ = larger;
  for (std::uint32_t left = size_; left != 0; --left) {
    into.push_back(front());
    first_ = (first_ + 1) & (capacity_ - 1);
  }
  *this = std::move(into);
}

void request_ring::shrink() {
  grown_.reset();
  capacity_ = own_capacity;
  first_ = 0;
}

}  // namespace trunkline::protocol
