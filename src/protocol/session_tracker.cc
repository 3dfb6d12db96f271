#include "protocol/session_tracker.h"

#include <algorithm>

#include "protocol/notice_fields.h"

namespace trunkline::protocol {
namespace {

/// What a message means to the tracker. Nearly all traffic is `pass`: one table look-up and on to the next
/// header.
enum class meaning : std::uint8_t {
  pass,
  // from the client
  extended,
  point,
  sync,
  copy_end,
  terminate,
  // from the server
  answer,
  copy_in,
  ready,
  error,
};

using meanings = std::array<meaning, 256>;

constexpr meanings table_of(std::initializer_list<std::pair<const char*, meaning>> entries) {
  meanings table{};
  for (const auto& [types, what] : entries) {
    for (const char* type = types; *type != '\0'; ++type)
      table[static_cast<unsigned char>(*type)] = what;
  }
  return table;
}

constexpr meanings client_meanings = table_of({
    {"PBDEC", meaning::extended},  // Parse, Bind, Describe, Execute, Close
    {"QF", meaning::point},        // Query, FunctionCall
    {"S", meaning::sync},
    {"cf", meaning::copy_end},  // CopyDone, CopyFail
    {"X", meaning::terminate},
});

constexpr meanings server_meanings = table_of({
    {"123nTCsI", meaning::answer},  // each ends the answer to one extended message
    {"G", meaning::copy_in},
    {"Z", meaning::ready},
    {"E", meaning::error},
});

meaning meaning_of(const meanings& table, char type) {
  return table[static_cast<unsigned char>(type)];
}

}  // namespace

struct session_tracker::client_visitor {
  session_tracker& tracker;

  std::uint32_t on_header(char type, std::uint32_t /*length*/) {
    tracker.client_message(type);
    return 0;
  }
  void on_body(char /*type*/, byte_span /*piece*/, bool /*last*/) {}
};

struct session_tracker::server_visitor {
  session_tracker& tracker;

  std::uint32_t on_header(char type, std::uint32_t /*length*/) {
    const meaning what = meaning_of(server_meanings, type);
    if (what == meaning::pass) [[likely]]
      return 0;
    if (what == meaning::answer) {
      tracker.extended_answer();
      return 0;
    }
    if (what == meaning::ready) return 1;
    if (what == meaning::error) return capture_bytes;
    tracker.begin_copy_in();
    return 0;
  }

  void on_body(char type, byte_span piece, bool last) {
    if (type == 'Z') {
      tracker.ready_for_query(static_cast<char>(piece[0]));
    } else {
      tracker.error_response(piece, last);
    }
  }
};

session_tracker::session_tracker(std::uint32_t answers_owed) {
  if (answers_owed != 0) queue_.push(request_kind::query, answers_owed);
}

walk_result session_tracker::client_bytes(byte_span chunk) {
  return client_.walk(chunk, client_visitor{*this});
}

walk_result session_tracker::server_bytes(byte_span chunk) {
  return server_.walk(chunk, server_visitor{*this});
}

inline void session_tracker::client_message(char type) {
  switch (meaning_of(client_meanings, type)) {
    case meaning::extended:
      batch_open_ = true;
      batch_unanswered_ += skipping_ ? 0 : 1;
      break;
    case meaning::sync:
      if (!copy_in_) client_point(request_kind::sync);
      break;
    case meaning::point:
      if (skipping_) break;
      if (batch_open_ && batch_unanswered_ != 0) queue_.push(request_kind::extended, batch_unanswered_);
      client_point(request_kind::query);
      break;
    case meaning::copy_end:
      client_copy_end();
      break;
    case meaning::terminate:
      terminate_seen_ = true;
      break;
    default:
      break;
  }
}

inline void session_tracker::client_point(request_kind kind) {
  queue_.push(kind);
  close_batch();
}

/// CopyDone and CopyFail outside a COPY mean nothing, but one may be sent before its CopyInResponse was seen.
void session_tracker::client_copy_end() {
  if (copy_in_) {
    copy_in_ = false;
  } else if (skipping_) {
    return;
  } else if (batch_open_) {
    queue_.push(request_kind::copy_end_extended);
  } else if (!queue_.empty()) {
    queue_.push(request_kind::copy_end_simple);
  }
}

inline void session_tracker::extended_answer() {
  if (!queue_.empty()) {
    if (queue_.head_is_extended()) queue_.answer_extended();
  } else if (batch_unanswered_ != 0) {
    --batch_unanswered_;
  }
}

void session_tracker::begin_copy_in() {
  copy_in_ = !queue_.begin_copy_in();
  // The Sync behind this COPY was swallowed: its batch is open again, and the COPY's own answer is due.
  if (queue_.empty() && !batch_open_) {
    batch_open_ = true;
    batch_unanswered_ = 1;
  }
}

inline void session_tracker::ready_for_query(char status) {
  if (!queue_.pop_point()) close_batch();
  copy_in_ = false;
  if (status == 'I' || status == 'T' || status == 'E') status_ = static_cast<transaction_status>(status);
}

/// Gathers the first fields when they are split over chunks; mostly they are not, and are read where they
/// lie.
void session_tracker::error_response(byte_span piece, bool last) {
  if (captured_ == 0 && last) {
    error_answer(piece);
    return;
  }
  std::copy(piece.begin(), piece.end(), capture_.begin() + captured_);
  captured_ = static_cast<std::uint8_t>(captured_ + piece.size());
  if (last) {
    error_answer(byte_span{capture_}.first(captured_));
    captured_ = 0;
  }
}

void session_tracker::error_answer(byte_span body) {
  const notice_fields fields{body};
  if (fields.is_fatal()) {
    fatal_seen_ = true;
    fatal_ = fields.code();
  }
  copy_in_ = false;
  const bool in_batch = queue_.empty() ? batch_open_ : queue_.head_is_extended();
  if (!in_batch || queue_.skip_to_sync()) return;
  batch_open_ = true;
  batch_unanswered_ = 0;
  skipping_ = true;
}

inline void session_tracker::close_batch() {
  batch_open_ = false;
  batch_unanswered_ = 0;
  skipping_ = false;
}

}  // namespace trunkline::protocol
