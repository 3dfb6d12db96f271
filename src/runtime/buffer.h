// Memory for bytes on their way. Each worker has one `buffer_pool`; it lends a `buffer` to whoever has bytes
// in hand and takes it back when the last byte is gone, so that an idle session holds none (product.md, G8).
// Owner: one loop thread; neither class is thread-safe. A pool outlives its buffers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace trunkline::runtime {

class buffer_pool;

/// A lent block of memory: `bytes()` were filled and not yet consumed, `room()` may be filled.
/// Destroying it gives the block back.
///
///     memory_ [ consumed | bytes() | room() ] capacity_
///                        begin_    end_
class buffer {
 public:
  buffer() = default;
  buffer(buffer&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        memory_(std::exchange(other.memory_, nullptr)),
        capacity_(other.capacity_),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  buffer& operator=(buffer&& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
    return *this;
  }
  ~buffer() {
    if (memory_ != nullptr) give_back();
  }

  byte_span bytes() const { return {memory_ + begin_, end_ - begin_}; }
  mutable_byte_span room() { return {memory_ + end_, capacity_ - end_}; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::size_t capacity() const { return capacity_; }

  /// The first `count` bytes of `room()` were filled.
  void commit(std::size_t count) { end_ += static_cast<std::uint32_t>(count); }
  /// The first `count` bytes of `bytes()` are no longer needed.
  void consume(std::size_t count) { begin_ += static_cast<std::uint32_t>(count); }

 private:
  friend class buffer_pool;
  buffer(buffer_pool* pool, std::byte* memory, std::uint32_t capacity)
      : pool_(pool), memory_(memory), capacity_(capacity) {}
  void give_back();

  buffer_pool* pool_ = nullptr;
  std::byte* memory_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
};

enum class buffer_size : std::uint8_t { tiny, small, large };

/// Three sizes (limits::buffer_bytes_tiny, _small, _large). Free blocks are kept up to a bound and
/// used again last in, first out, so that they stay in the processor's cache; the rest goes back to the
/// system.
class buffer_pool {
 public:
  buffer_pool() = default;
  buffer_pool(const buffer_pool&) = delete;
  buffer_pool& operator=(const buffer_pool&) = delete;
  ~buffer_pool();

  buffer lend(buffer_size size);
  /// As many as it takes to hold a copy.
  std::vector<buffer> copies(byte_span bytes);
  /// For whoever has to wait with it: the same bytes, where they are few in a block of the smallest size.
  buffer compact(buffer data);
  std::size_t lent() const { return lent_; }

 private:
  friend class buffer;
  struct free_block {
    free_block* next;
  };
  struct shelf {
    free_block* first = nullptr;
    std::size_t count = 0;
  };
  void take_back(std::byte* memory, std::uint32_t capacity);

  std::array<shelf, 3> shelves_;  // by size
  std::size_t lent_ = 0;
};

}  // namespace trunkline::runtime
