#include "runtime/object_slab.h"

#include <sys/mman.h>

#include <cassert>
#include <cstdint>
#include <new>

namespace trunkline::runtime {
namespace {

constexpr std::size_t alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

/// At an address that is a multiple of `bytes`, which the system gives only by chance.
std::byte* map_aligned(std::size_t bytes) {
  void* const all = ::mmap(nullptr, 2 * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(all);
  const std::size_t before = (bytes - reinterpret_cast<std::uintptr_t>(begin) % bytes) % bytes;
  if (before > 0) ::munmap(begin, before);
  ::munmap(begin + before + bytes, bytes - before);
  return begin + before;
}

}  // namespace

/// At the beginning of its memory.
struct object_slab::block {
  struct cell {
    cell* next;
  };
  cell* free = nullptr;   // that were given back
  std::size_t fresh = 0;  // where those begin that never were taken, from the block's start
  std::size_t in_use = 0;

  static block* of(void* object) {
    return reinterpret_cast<block*>(reinterpret_cast<std::uintptr_t>(object) / block_bytes * block_bytes);
  }
  bool has_room(std::size_t object_bytes) const {
    return free != nullptr || fresh + object_bytes <= block_bytes;
  }
};

object_slab::object_slab(std::size_t object_bytes) : object_bytes_(aligned(object_bytes)) {
  assert(object_bytes_ <= block_bytes / 16);
}

object_slab::block* object_slab::add_block() {
  auto* const made = new (map_aligned(block_bytes)) block{.fresh = aligned(sizeof(block))};
  with_room_.insert(made);
  ++blocks_;
  return made;
}

void* object_slab::take() {
  std::lock_guard lock(mutex_);
  block* const from = with_room_.empty() ? add_block() : *with_room_.begin();
  void* taken = from->free;
  if (taken != nullptr) {
    from->free = from->free->next;
  } else {
    taken = reinterpret_cast<std::byte*>(from) + from->fresh;
    from->fresh += object_bytes_;
  }
  ++from->in_use;
  if (!from->has_room(object_bytes_)) with_room_.erase(from);
  return taken;
}

void object_slab::give_back(void* object) noexcept {
  if (object == nullptr) return;
  std::lock_guard lock(mutex_);
  block* const to = block::of(object);
  to->free = new (object) block::cell{to->free};
  with_room_.insert(to);
  if (--to->in_use > 0 || with_room_.size() == 1) return;  // the next one may come at once
  with_room_.erase(to);
  --blocks_;
  ::munmap(to, block_bytes);
}

std::size_t object_slab::blocks() const {
  std::lock_guard lock(mutex_);
  return blocks_;
}

}  // namespace trunkline::runtime
