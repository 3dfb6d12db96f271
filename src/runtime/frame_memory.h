// Memory of coroutine frames: a login is some twenty of them, and the next login takes those of the last one.
// Each thread keeps a few free ones of each size; what is larger, or one more, is the system's. Any thread; a
// frame may end on another one than it began.
#pragma once

#include <cstddef>

namespace trunkline::runtime {

/// Throws std::bad_alloc.
void* take_frame(std::size_t bytes);
/// `bytes`: as it was taken.
void give_back_frame(void* frame, std::size_t bytes) noexcept;

}  // namespace trunkline::runtime
