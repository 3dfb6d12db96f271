// The server's side of the protocol after the login, as far as a console needs it: whole messages in, bytes
// out. Simple queries of several statements, the extended protocol without parameters, results as text or in
// binary. Where a statement has rows, `wanted` says which, and nothing else is taken before they are `give`n:
// fetching them takes time, and this has no clock, no thread and no socket. Owner: a console session.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/extended_messages.h"
#include "protocol/message_writer.h"
#include "protocol/session_start.h"
#include "session/console_desk.h"

namespace trunkline::session {

/// Rows that are wanted, and how each column is to be written: 0 text, 1 binary.
struct console_request {
  console_statement statement;
  std::vector<std::uint16_t> formats;
};

/// Rows as DataRow messages, ready to send.
struct console_answer {
  protocol::byte_buffer rows;
  std::size_t count = 0;
  std::string notice = {};
};

/// Pure, and not small: not on a loop. Fails above limits::console_answer_bytes.
result<console_answer> write_rows(const console_request& request, console_rows rows);

class console_machine {
 public:
  explicit console_machine(const console_desk& desk) : desk_(desk) {}

  /// One message of the client's; replies are appended to `out`. Precondition: nothing is `wanted`, and it is
  /// not `over`.
  void take(char type, byte_span body, protocol::byte_buffer& out);
  const console_request* wanted() const { return wanted_ ? &*wanted_ : nullptr; }
  /// Precondition: something is `wanted`.
  void give(result<console_answer> answer, protocol::byte_buffer& out);

  bool terminated() const { return terminated_; }
  /// The client broke the protocol: the session ends.
  const std::optional<error>& broken() const { return broken_; }
  bool over() const { return terminated_ || broken_; }
  char status() const { return static_cast<char>(status_); }

 private:
  using out_t = protocol::byte_buffer;
  struct portal {
    std::optional<console_statement> statement;  ///< none: the text was empty
    std::vector<std::uint16_t> formats;
    std::optional<console_answer> answer;  ///< what is left of it
    std::size_t sent = 0;                  ///< bytes of `answer->rows`
    bool finished = false;
  };

  void query(byte_span body, out_t& out);
  void run_statements(out_t& out);
  void parse(byte_span body, out_t& out);
  void bind(byte_span body, out_t& out);
  void describe(byte_span body, out_t& out);
  void execute(byte_span body, out_t& out);
  void close(byte_span body, out_t& out);
  void sync(out_t& out);
  void continue_portal(out_t& out);
  /// False: refused, with the reason in `out`.
  bool apply(const console_statement& statement, out_t& out);
  void complete(const console_statement& statement, out_t& out);
  void ready(out_t& out);
  /// An ErrorResponse; a transaction fails with it.
  void refuse(const error& why, out_t& out);
  /// In the extended protocol, what follows up to Sync is passed over.
  void refuse_until_sync(const error& why, out_t& out);

  const console_desk& desk_;
  std::deque<result<console_statement>> statements_;  ///< of the simple query under way
  std::map<std::string, std::optional<console_statement>, std::less<>> prepared_;
  std::map<std::string, portal, std::less<>> portals_;
  std::string executing_;  ///< the portal whose rows are wanted
  std::uint32_t row_limit_ = 0;
  std::optional<console_request> wanted_;
  bool extended_ = false;  ///< what is wanted is a portal's
  bool skipping_ = false;
  bool terminated_ = false;
  std::optional<error> broken_;
  protocol::transaction_status status_ = protocol::transaction_status::idle;
};

}  // namespace trunkline::session
