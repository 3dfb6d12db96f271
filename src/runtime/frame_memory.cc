#include "runtime/frame_memory.h"

#include <array>
#include <new>
#include <utility>

#include "base/limits.h"
#include "runtime/object_slab.h"

namespace trunkline::runtime {
namespace {

constexpr std::size_t step_bytes = 128;
constexpr std::size_t sizes = limits::kept_frame_bytes / step_bytes;

struct free_frame {
  free_frame* next;
};

struct free_list {
  free_frame* first = nullptr;
  std::size_t count = 0;
};

/// Trivial, so that frames which end while a thread does find it as it was.
thread_local std::array<free_list, sizes> kept;
thread_local bool thread_ends = false;

/// Gives them to the system when the thread ends.
struct sweeper {
  ~sweeper() {
    thread_ends = true;
    for (free_list& of : kept)
      while (of.first != nullptr)
        ::operator delete(std::exchange(of.first, of.first->next));
  }
};
thread_local sweeper sweep;

std::size_t size_index(std::size_t bytes) {
  return (bytes - 1) / step_bytes;
}

}  // namespace

void* take_frame(std::size_t bytes) {
  if (!uses_slabs || bytes > limits::kept_frame_bytes) return ::operator new(bytes);
  free_list& of = kept[size_index(bytes)];
  if (of.first == nullptr) return ::operator new((size_index(bytes) + 1) * step_bytes);
  --of.count;
  return std::exchange(of.first, of.first->next);
}

void give_back_frame(void* frame, std::size_t bytes) noexcept {
  if (!uses_slabs || bytes > limits::kept_frame_bytes) return ::operator delete(frame);
  (void)&sweep;  // made with the first one that is kept
  free_list& of = kept[size_index(bytes)];
  if (thread_ends || of.count == limits::kept_frames) return ::operator delete(frame);
  ++of.count;
  of.first = new (frame) free_frame{of.first};
}

}  // namespace trunkline::runtime
