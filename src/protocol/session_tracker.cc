#include "protocol/session_tracker.h"

namespace trunkline::protocol {

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
