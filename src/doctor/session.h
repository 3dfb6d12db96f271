// A session on the path: logged in, asked, answered. Owner: the coroutine that uses it, on the loop thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "doctor/line.h"
#include "protocol/startup_message.h"

namespace trunkline::doctor {

/// What came between a request and its ReadyForQuery.
struct answer {
  std::vector<std::vector<std::optional<std::string>>> rows;  ///< at most limits::doctor_rows
  std::uint64_t row_count = 0;
  std::string types;  ///< of all messages but rows, parameters and notices, in order: "1T2CZ"
  std::string tag;    ///< the last CommandComplete's
  std::optional<said_error> error;
  char status = 0;  ///< I, T or E; 0: the request ends in COPY, which waits for the caller

  /// Empty where there is no such value, or it is NULL.
  std::string_view at(std::size_t row, std::size_t column) const;
  bool has_code(std::string_view code) const { return error && error->code.view() == code; }
};

/// How a login differs from what the DSN says.
struct login_wishes {
  protocol::protocol_version version = {};
  std::vector<std::pair<std::string, std::string>> parameters = {};
  bool statement_timeout = true;  ///< limits::doctor_statement, where the path takes such a parameter
};

class session {
 public:
  explicit session(examination& of) : line_(of) {}
  ~session() { part(); }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  static runtime::task<outcome<>> open(session* self, login_wishes wishes = {});
  /// A simple query. An ErrorResponse is part of the answer; a failure ends the session.
  static runtime::task<outcome<answer>> query(session* self, std::string sql);
  /// Whole messages, and what comes up to ReadyForQuery or the beginning of COPY.
  static runtime::task<outcome<answer>> ask(session* self, std::vector<std::byte> request);
  /// The same without a request: what is still to come.
  static runtime::task<outcome<answer>> take(session* self);

  /// Sends this session's CancelRequest over a connection of its own, with TLS or without, and waits until
  /// the other side has closed that.
  static runtime::task<outcome<>> cancel(session* self, bool over_tls);

  /// Terminate, and the end.
  void part();
  /// Ends it with a RST.
  void reset() { line_.reset(); }
  bool is_open() const { return line_.is_open(); }

  line& wire() { return line_; }
  std::uint32_t key_pid() const { return key_pid_; }
  bool has_key() const { return !key_.empty(); }
  const std::map<std::string, std::string>& parameters() const { return parameters_; }
  /// NegotiateProtocolVersion, where it came.
  std::optional<protocol::protocol_version> negotiated() const { return negotiated_; }
  const std::vector<std::string>& unknown_options() const { return unknown_options_; }
  const std::string& login_method() const { return method_; }
  const login_times& times() const { return times_; }
  /// Payloads of notifications that have arrived.
  const std::vector<std::string>& notifications() const { return notifications_; }

 private:
  static runtime::task<outcome<>> authenticate(session* self, login_wishes wishes);
  static runtime::task<outcome<>> await_ready(session* self);
  void send_startup(const login_wishes& wishes);
  /// ParameterStatus, NoticeResponse, NotificationResponse, BackendKeyData, NegotiateProtocolVersion.
  bool takes_aside(const message& came);

  line line_;
  std::uint32_t key_pid_ = 0;
  std::vector<std::byte> key_;
  std::map<std::string, std::string> parameters_;
  std::optional<protocol::protocol_version> negotiated_;
  std::vector<std::string> unknown_options_;
  std::string method_;
  login_times times_;
  std::vector<std::string> notifications_;
};

}  // namespace trunkline::doctor
