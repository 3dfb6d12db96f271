// Passes one received chunk on, mostly as it is, sometimes without a part or with another one in its place.
// What is not touched is not copied: only where something was replaced is the rest put together anew. Owner:
// the caller; for the handling of one chunk.
//
//     | passed on or replaced | kept so far |  at_  not looked at yet  |
//     0                       kept_from_    at_                        size
#pragma once

#include <utility>
#include <vector>

#include "runtime/buffer.h"

namespace trunkline::session {

class chunk_editor {
 public:
  chunk_editor(runtime::buffer& source, runtime::buffer_pool& buffers) : source_(source), buffers_(buffers) {}

  byte_span rest() const { return source_.bytes().subspan(at_); }
  /// The next bytes go on as they are.
  void keep(std::size_t count) { at_ += count; }
  /// The next bytes do not; these go in their place.
  void replace(std::size_t count, byte_span by);
  void insert(byte_span bytes) { replace(0, bytes); }

  /// All that goes on of what was looked at, in order, to `send(runtime::buffer)`; what was not looked at
  /// stays in the source.
  template <class Send>
  void finish(Send&& send) {
    if (made_.empty() && kept_from_ == 0 && at_ == source_.size()) {
      if (at_ != 0) send(std::move(source_));
      source_ = runtime::buffer();
      return;
    }
    copy_kept();
    source_.consume(at_);
    at_ = kept_from_ = 0;
    for (runtime::buffer& each : std::exchange(made_, {}))
      send(std::move(each));
  }

 private:
  void copy_kept();
  void append(byte_span bytes);

  runtime::buffer& source_;
  runtime::buffer_pool& buffers_;
  std::size_t kept_from_ = 0;
  std::size_t at_ = 0;
  std::vector<runtime::buffer> made_;
};

}  // namespace trunkline::session
