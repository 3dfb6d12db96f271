// Kinds of requests in the order they were sent, four bits each. Part of the exchange queue; see there. A
// usual pipeline lives inside the object; a deep one takes memory and gives it back when it is empty. Owner:
// one session on one worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace trunkline::protocol {

/// What a client sent that the server answers, or that decides how it answers (PostgreSQL documentation,
/// "Message Flow").
enum class request_kind : std::uint8_t {
  query,
  function_call,
  parse,
  bind,
  describe,
  execute,
  close,
  bad_flush,  ///< a Flush with a body: answered by an ErrorResponse, as an extended message is
  sync,
  copy_done,
  copy_fail,
  foreign,  ///< a type that no client may send after its login: the server ends the session
};

class request_ring {
 public:
  request_ring() = default;
  request_ring(const request_ring& other);
  request_ring(request_ring&&) = default;
  request_ring& operator=(request_ring&&) = default;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Precondition: not empty.
  request_kind front() const { return get(first_); }
  /// Precondition: index < size().
  request_kind at(std::size_t index) const {
    return get((first_ + static_cast<std::uint32_t>(index)) & (capacity_ - 1));
  }
  void push_back(request_kind kind) {
    if (size_ == capacity_) grow();
    put((first_ + size_) & (capacity_ - 1), kind);
    ++size_;
  }
  void push_front(request_kind kind) {
    if (size_ == capacity_) grow();
    first_ = (first_ + capacity_ - 1) & (capacity_ - 1);
    put(first_, kind);
    ++size_;
  }
  /// Precondition: not empty.
  void pop_front() {
    first_ = (first_ + 1) & (capacity_ - 1);
    if (--size_ == 0 && grown_ != nullptr) shrink();
  }
  void clear();

 private:
  static constexpr std::uint32_t bits = 4;
  static constexpr std::uint32_t per_word = 64 / bits;
  static constexpr std::uint64_t mask = (1u << bits) - 1;
  static constexpr std::uint32_t own_capacity = 64;

  std::uint64_t* words() { return grown_ != nullptr ? grown_.get() : own_.data(); }
  const std::uint64_t* words() const { return grown_ != nullptr ? grown_.get() : own_.data(); }
  request_kind get(std::uint32_t index) const {
    return static_cast<request_kind>((words()[index / per_word] >> (index % per_word * bits)) & mask);
  }
  void put(std::uint32_t index, request_kind kind) {
    const std::uint32_t shift = index % per_word * bits;
    std::uint64_t& word = words()[index / per_word];
    word = (word & ~(mask << shift)) | (static_cast<std::uint64_t>(kind) << shift);
  }
  void grow();
  void shrink();

  std::unique_ptr<std::uint64_t[]> grown_;
  std::array<std::uint64_t, own_capacity / per_word> own_{};
  std::uint32_t capacity_ = own_capacity;  // a power of two
  std::uint32_t first_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace trunkline::protocol
