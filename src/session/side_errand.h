// A question of the gateway's own on a connection that a session has at the moment: to give it the session's
// settings, or to see what the session left behind. The client neither waits for nor sees the answer's bytes.
// Pure but for the time. Owner: a pooled session.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "pool/parameter_list.h"

namespace trunkline::session {

class side_errand {
 public:
  enum class purpose : std::uint8_t { settings, inspection, sequences };
  using row = std::vector<std::string>;

  explicit side_errand(purpose what) : purpose_(what) {}

  purpose what() const { return purpose_; }
  /// True: the answer is complete, up to its ReadyForQuery.
  bool take(byte_span bytes);

  bool failed() const { return failed_; }
  const error& problem() const { return problem_; }
  /// What the server says of it besides; may be empty, or have several lines.
  const std::string& detail() const { return detail_; }
  const std::vector<row>& rows() const { return rows_; }
  const pool::parameter_list& parameters() const { return parameters_; }
  char status() const { return status_; }
  /// Bodies of the NotificationResponses that came meanwhile: they are the client's.
  const std::vector<std::vector<std::byte>>& notifications() const { return notifications_; }

 private:
  void take_message(char type, byte_span body);

  purpose purpose_;
  std::vector<std::byte> unread_;
  std::vector<row> rows_;
  std::vector<std::vector<std::byte>> notifications_;
  pool::parameter_list parameters_;
  error problem_;
  std::string detail_;
  char status_ = 'I';
  bool failed_ = false;
  bool over_ = false;
};

}  // namespace trunkline::session
