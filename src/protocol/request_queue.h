// What a server still owes: the points that ReadyForQuery will answer, in order, run-length coded in fixed
// memory. Part of the session tracker; see there for the rules of the protocol. Owned by one session on one
// worker.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace trunkline::protocol {

/// What a client sent that matters for the count.
enum class request_kind : std::uint8_t {
  query,              ///< Query or FunctionCall: answered by one ReadyForQuery
  sync,               ///< answered by one ReadyForQuery, unless COPY IN swallows it
  extended,           ///< unanswered messages of a batch that a Query, not a Sync, ends
  copy_end_simple,    ///< CopyDone or CopyFail sent ahead, behind a Query or a Sync
  copy_end_extended,  ///< the same, inside an extended batch
};

/// Equal neighbours share a run, so that a pipeline of any depth fits. Where kinds alternate more often than
/// there are runs, a point is counted under the last point's kind: the number of answers owed stays right,
/// unless COPY IN is among them.
class request_queue {
 public:
  void push(request_kind kind, std::uint32_t count = 1);
  /// ReadyForQuery: the oldest point is answered. False where none was outstanding.
  bool pop_point();
  /// CopyInResponse: the server reads up to CopyDone or CopyFail and drops each Sync on the way (also one
  /// that was pipelined behind the statement). True where that CopyDone or CopyFail had been sent already.
  bool begin_copy_in();
  /// The server answered one message of the oldest `extended` run. False where none is at the head.
  bool answer_extended();
  /// An error in that run: the server skips all up to a Sync. False where no Sync was sent yet.
  bool skip_to_sync();

  bool head_is_extended() const;
  bool empty() const { return size_ == 0; }
  void clear() { size_ = 0; }

 private:
  struct run {
    std::uint32_t count : 29;
    std::uint32_t kind : 3;
    request_kind what() const { return static_cast<request_kind>(kind); }
  };
  static bool is_point(request_kind kind) {
    return kind == request_kind::query || kind == request_kind::sync;
  }
  static bool is_copy_end(request_kind kind) { return kind >= request_kind::copy_end_simple; }
  std::size_t head() const;
  void take_one(std::size_t index);
  void erase(std::size_t from, std::size_t to);

  std::array<run, 8> runs_{};
  std::uint8_t size_ = 0;
};

}  // namespace trunkline::protocol
