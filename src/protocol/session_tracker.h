// What a relay must know of a session after its login, learnt from the message headers alone: message
// boundaries, the transaction status, whether an answer is outstanding, how the session ended (PostgreSQL
// documentation, "Message Flow"). Bytes pass through untouched; feed each chunk before or after it is sent
// on. Pure state, fixed size; owned by one session on one worker. Unknown message types pass.
// What is outstanding is the exchange queue's to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "protocol/error_scan.h"
#include "protocol/exchange_queue.h"
#include "protocol/header_walker.h"
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
  bool busy() const { return !queue_.at_rest(); }
  const exchange_queue& exchanges() const { return queue_; }
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

  void ready_for_query(char status);
  void error_response();

  header_walker client_;
  header_walker server_;
  exchange_queue queue_;
  error_scan error_;  ///< of the ErrorResponse that is passing
  transaction_status status_ = transaction_status::idle;
  bool terminate_seen_ = false;
  bool fatal_seen_ = false;
  sqlstate fatal_;
};

static_assert(sizeof(session_tracker) <= 192);

}  // namespace trunkline::protocol
