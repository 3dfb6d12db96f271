#include "session/chunk_editor.h"

#include <algorithm>
#include <cstring>

#include "base/limits.h"

namespace trunkline::session {

void chunk_editor::replace(std::size_t count, byte_span by) {
  copy_kept();
  append(by);
  at_ += count;
  kept_from_ = at_;
}

void chunk_editor::copy_kept() {
  append(source_.bytes().subspan(kept_from_, at_ - kept_from_));
  kept_from_ = at_;
}

void chunk_editor::append(byte_span bytes) {
  while (!bytes.empty()) {
    if (made_.empty() || made_.back().room().empty()) {
      const bool small = source_.size() + bytes.size() <= limits::buffer_bytes_small;
      made_.push_back(buffers_.lend(small ? runtime::buffer_size::small : runtime::buffer_size::large));
    }
    const auto room = made_.back().room();
    const std::size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    made_.back().commit(count);
    bytes = bytes.subspan(count);
  }
}

}  // namespace trunkline::session
