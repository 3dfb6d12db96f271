#include "runtime/buffer.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/limits.h"

namespace trunkline::runtime {
namespace {

constexpr std::array<std::size_t, 3> capacities{limits::buffer_bytes_tiny, limits::buffer_bytes_small,
                                                limits::buffer_bytes_large};
constexpr std::array<std::size_t, 3> kept_blocks{1024, 128, 8};

std::size_t index_of(std::size_t capacity) {
  return capacity == limits::buffer_bytes_small ? 1 : capacity == limits::buffer_bytes_tiny ? 0 : 2;
}

}  // namespace

void buffer::give_back() {
  pool_->take_back(memory_, capacity_);
}

buffer_pool::~buffer_pool() {
  for (shelf& each : shelves_) {
    while (each.first != nullptr) {
      free_block* block = each.first;
      each.first = block->next;
      ::operator delete(block);
    }
  }
}

std::vector<buffer> buffer_pool::copies(byte_span bytes) {
  std::vector<buffer> parts;
  while (!bytes.empty()) {
    const bool small = bytes.size() <= limits::buffer_bytes_small;
    parts.push_back(lend(small ? buffer_size::small : buffer_size::large));
    const std::size_t count = std::min(bytes.size(), parts.back().room().size());
    std::memcpy(parts.back().room().data(), bytes.data(), count);
    parts.back().commit(count);
    bytes = bytes.subspan(count);
  }
  return parts;
}

buffer buffer_pool::compact(buffer data) {
  if (data.size() > limits::buffer_bytes_tiny || data.capacity() == limits::buffer_bytes_tiny) return data;
  buffer made = lend(buffer_size::tiny);
  std::memcpy(made.room().data(), data.bytes().data(), data.size());
  made.commit(data.size());
  return made;
}

buffer buffer_pool::lend(buffer_size size) {
  const auto index = static_cast<std::size_t>(size);
  shelf& from = shelves_[index];
  void* memory = nullptr;
  if (from.first != nullptr) {
    memory = from.first;
    from.first = from.first->next;
    --from.count;
  } else {
    memory = ::operator new(capacities[index]);
  }
  ++lent_;
  return {this, static_cast<std::byte*>(memory), static_cast<std::uint32_t>(capacities[index])};
}

void buffer_pool::take_back(std::byte* memory, std::uint32_t capacity) {
  const std::size_t index = index_of(capacity);
  shelf& to = shelves_[index];
  --lent_;
  if (to.count >= kept_blocks[index]) {
    ::operator delete(memory);
    return;
  }
  to.first = new (memory) free_block{to.first};
  ++to.count;
}

}  // namespace trunkline::runtime
