// What a relay must know of a session after its login, learnt from the message headers alone: message
// boundaries, the transaction status, whether an answer is outstanding, how the session ended (PostgreSQL
// documentation, "Message Flow"). Bytes pass through untouched; feed each chunk before or after it is sent
// on. Pure state, fixed size; owned by one session on one worker. Unknown message types pass.
// What is outstanding is the exchange queue's to say. Whoever wants to know more (timing, audit) listens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/bytes.h"
#include "base/error.h"
#include "protocol/error_scan.h"
#include "protocol/exchange_queue.h"
#include "protocol/header_walker.h"
#include "protocol/session_start.h"

namespace trunkline::protocol {

enum class direction : std::uint8_t { client_to_server, server_to_client };

/// What a listener is told, in stream order and the same however the stream is cut. DataRow and CopyData pass
/// it by. `request` is the number of the request in the exchange queue: of a client's message its own (0: it
/// is none), of a server's message the one that it answers (0: none).
struct no_listener {
  /// Told with the header. Answers how many of the body's first bytes `client_body` is to get.
  std::uint32_t client_message(char /*type*/, std::uint32_t /*length*/, std::uint64_t /*request*/) {
    return 0;
  }
  void client_body(char /*type*/, byte_span /*piece*/, bool /*last*/) {}
  /// Neither ErrorResponse nor ReadyForQuery.
  std::uint32_t server_message(char /*type*/, std::uint32_t /*length*/, std::uint64_t /*request*/) {
    return 0;
  }
  void server_body(char /*type*/, byte_span /*piece*/, bool /*last*/) {}
  void error_response(std::uint64_t /*request*/, const error_scan& /*what*/) {}
  void ready_for_query(std::uint64_t /*request*/, char /*status*/) {}
};

class session_tracker {
 public:
  /// Behind the login's ReadyForQuery: both directions at a boundary, status `idle`, nothing outstanding.
  session_tracker() = default;
  /// Behind AuthenticationOk, or whenever the server still owes so many ReadyForQuery: busy until they came.
  explicit session_tracker(std::uint32_t answers_owed) { queue_.owe(answers_owed); }

  /// `bad`: an illegal length; that peer is at fault and the session ends.
  template <class Listener = no_listener>
  walk_result client_bytes(byte_span chunk, Listener&& listener = {}) {
    return client_.walk(chunk, client_visitor<Listener>{*this, listener});
  }
  template <class Listener = no_listener>
  walk_result server_bytes(byte_span chunk, Listener&& listener = {}) {
    return server_.walk(chunk, server_visitor<Listener>{*this, listener});
  }

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
  template <class Listener>
  struct client_visitor {
    session_tracker& tracker;
    Listener& listener;

    std::uint32_t on_header(char type, std::uint32_t length) {
      if (type == 'd') return 0;
      tracker.terminate_seen_ = tracker.terminate_seen_ || type == 'X';
      return listener.client_message(type, length, tracker.queue_.client_message(type, length));
    }
    void on_body(char type, byte_span piece, bool last) { listener.client_body(type, piece, last); }
  };

  template <class Listener>
  struct server_visitor {
    session_tracker& tracker;
    Listener& listener;

    std::uint32_t on_header(char type, std::uint32_t length) {
      switch (type) {
        case 'D':
        case 'd':
          return 0;
        case 'Z':
          return 1;
        case 'E':
          return std::numeric_limits<std::uint32_t>::max();
        default: {
          const std::uint64_t request = tracker.queue_.current();
          (void)tracker.queue_.server_message(type);
          return listener.server_message(type, length, request);
        }
      }
    }
    void on_body(char type, byte_span piece, bool last) {
      const std::uint64_t request = tracker.queue_.current();
      if (type == 'Z') {
        const char status = static_cast<char>(piece[0]);
        tracker.ready_for_query(status);
        listener.ready_for_query(request, status);
      } else if (type == 'E') {
        tracker.error_.feed(piece);
        if (!last) return;
        listener.error_response(request, tracker.error_);
        tracker.error_response();
      } else {
        listener.server_body(type, piece, last);
      }
    }
  };

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

static_assert(sizeof(session_tracker) <= 160);

}  // namespace trunkline::protocol
