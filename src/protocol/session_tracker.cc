#include "protocol/session_tracker.h"

#include <limits>

namespace trunkline::protocol {

struct session_tracker::client_visitor {
  session_tracker& tracker;

  std::uint32_t on_header(char type, std::uint32_t length) {
    if (type == 'd') return 0;
    tracker.terminate_seen_ = tracker.terminate_seen_ || type == 'X';
    tracker.queue_.client_message(type, length);
    return 0;
  }
  void on_body(char /*type*/, byte_span /*piece*/, bool /*last*/) {}
};

struct session_tracker::server_visitor {
  session_tracker& tracker;

  std::uint32_t on_header(char type, std::uint32_t /*length*/) {
    switch (type) {
      case 'D':
      case 'd':
        return 0;
      case 'Z':
        return 1;
      case 'E':
        return std::numeric_limits<std::uint32_t>::max();
      default:
        (void)tracker.queue_.server_message(type);
        return 0;
    }
  }

  void on_body(char type, byte_span piece, bool last) {
    if (type == 'Z') return tracker.ready_for_query(static_cast<char>(piece[0]));
    tracker.error_.feed(piece);
    if (last) tracker.error_response();
  }
};

session_tracker::session_tracker(std::uint32_t answers_owed) {
  queue_.owe(answers_owed);
}

walk_result session_tracker::client_bytes(byte_span chunk) {
  return client_.walk(chunk, client_visitor{*this});
}

walk_result session_tracker::server_bytes(byte_span chunk) {
  return server_.walk(chunk, server_visitor{*this});
}

void session_tracker::ready_for_query(char status) {
  (void)queue_.ready_for_query();
  if (status == 'I' || status == 'T' || status == 'E') status_ = static_cast<transaction_status>(status);
}

void session_tracker::error_response() {
  if (error_.fatal()) {
    fatal_seen_ = true;
    fatal_ = error_.code();
  }
  (void)queue_.error_response({.fatal = error_.fatal(), .copy = error_.progress_of_copy()});
  error_ = {};
}

}  // namespace trunkline::protocol
