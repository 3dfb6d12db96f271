#include "runtime/buffer.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/limits.h"

namespace trunkline::runtime {
namespace {

constexpr std::size_t kept_small_blocks = 128;
constexpr std::size_t kept_large_blocks = 8;

}  // namespace

void buffer::give_back() {
  pool_->take_back(memory_, capacity_);
}

buffer_pool::~buffer_pool() {
  for (shelf* each : {&small_, &large_}) {
    while (each->first != nullptr) {
      free_block* block = each->first;
      each->first = block->next;
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

buffer buffer_pool::lend(buffer_size size) {
  shelf& from = size == buffer_size::small ? small_ : large_;
  const std::size_t capacity =
      size == buffer_size::small ? limits::buffer_bytes_small : limits::buffer_bytes_large;
  void* memory = nullptr;
  if (from.first != nullptr) {
    memory = from.first;
    from.first = from.first->next;
    --from.count;
  } else {
    memory = ::operator new(capacity);
  }
  ++lent_;
  return {this, static_cast<std::byte*>(memory), static_cast<std::uint32_t>(capacity)};
}

void buffer_pool::take_back(std::byte* memory, std::uint32_t capacity) {
  const bool is_small = capacity == limits::buffer_bytes_small;
  shelf& to = is_small ? small_ : large_;
  --lent_;
  if (to.count >= (is_small ? kept_small_blocks : kept_large_blocks)) {
    ::operator delete(memory);
    return;
  }
  to.first = new (memory) free_block{to.first};
  ++to.count;
}

}  // namespace trunkline::runtime
