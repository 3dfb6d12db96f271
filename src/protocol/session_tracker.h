// What a relay must know of a session after its login, learnt from the message headers alone: message
// boundaries, the transaction status, whether an answer is outstanding, how the session ended (PostgreSQL
// documentation, "Message Flow"). Bytes pass through untouched; feed each chunk before or after it is sent
// on. Pure state, fixed size; owned by one session on one worker. Unknown message types pass.
//
// How answers are counted:
// - Query, FunctionCall and Sync are points: each is answered by one ReadyForQuery. An extended message
// (Parse,
//   Bind, Describe, Execute, Close) opens a batch that the next point closes.
// - During COPY IN the server ignores Sync and Flush. A Sync that was pipelined behind the Execute of a COPY
// is
//   therefore never answered: CopyInResponse takes it from the queue.
// - An error inside a batch makes the server skip everything, a Query too, up to the next Sync.
// - CopyBoth (replication) lasts until the ReadyForQuery of the Query that began it.
// Not decidable from headers: whether a COPY that fails before its first read had already ignored a Sync; the
// next ReadyForQuery mends the count.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "protocol/header_walker.h"
#include "protocol/request_queue.h"
#include "protocol/session_start.h"

namespace trunkline::protocol {

enum class direction : std::uint8_t { client_to_server, server_to_client };

class session_tracker {
 public:
  /// Behind the login's ReadyForQuery: both directions at a boundary, status `idle`, nothing outstanding.
  session_tracker() = default;
  /// Behind AuthenticationOk, or whenever the server still owes so many ReadyForQuery: busy until they came.
  explicit session_tracker(std::uint32_t answers_owed);

  /// `bad`: an illegal length; that peer is at fault and the session ends.
  walk_result client_bytes(byte_span chunk);
  walk_result server_bytes(byte_span chunk);

  bool at_message_boundary(direction of) const {
    return of == direction::client_to_server ? client_.at_boundary() : server_.at_boundary();
  }
  /// As of the last ReadyForQuery.
  transaction_status status() const { return status_; }
  /// An answer is outstanding, a batch is open or a COPY is under way.
  bool busy() const { return batch_open_ || copy_in_ || !queue_.empty(); }
  /// Safe to end or to hand over: nothing under way in either direction, and no transaction open.
  bool idle() const {
    return !busy() && status_ == transaction_status::idle && client_.at_boundary() && server_.at_boundary();
  }
  /// The client sent Terminate.
  bool terminate_seen() const { return terminate_seen_; }
  /// SQLSTATE of the last ErrorResponse whose severity was FATAL or PANIC.
  std::optional<sqlstate> fatal_sqlstate() const {
    if (!fatal_seen_) return std::nullopt;
    return fatal_;
  }

 private:
  struct client_visitor;
  struct server_visitor;

  void client_message(char type);
  void client_copy_end();
  void client_point(request_kind kind);
  void extended_answer();
  void begin_copy_in();
  void ready_for_query(char status);
  void error_response(byte_span piece, bool last);
  void error_answer(byte_span body);
  void close_batch();

  /// Room for fields S, V and C, also where S is translated.
  static constexpr std::size_t capture_bytes = 64;

  header_walker client_;
  header_walker server_;
  request_queue queue_;
  std::uint32_t batch_unanswered_ = 0;  ///< messages of the open batch
  transaction_status status_ = transaction_status::idle;
  bool batch_open_ = false;
  bool skipping_ = false;  ///< an error inside the open batch: the server waits for Sync
  bool copy_in_ = false;   ///< the server reads CopyData, and the client has not ended it
  bool terminate_seen_ = false;
  bool fatal_seen_ = false;
  std::uint8_t captured_ = 0;
  sqlstate fatal_;
  std::array<std::byte, capture_bytes> capture_{};  ///< of an ErrorResponse that is split over chunks
};

static_assert(sizeof(session_tracker) <= 160);

}  // namespace trunkline::protocol
