// A session on a path: logged in, asked, and each answer checked. Owner: a client's coroutine on the loop
// thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storm/connection.h"
#include "storm/reply_check.h"

namespace trunkline::storm {

/// Whether a pooler has to find a server connection for it, where that can be told from outside.
enum class pool_wait : std::uint8_t {
  unknown,   ///< no statement like it is measured in an open transaction
  possible,  ///< outside of a transaction: the first byte of its answer is compared
  none,      ///< inside: with that of these
};

/// One request and what must come of it. Lives in the frame of whoever asks.
struct exchange {
  std::vector<std::byte> request = {};
  reply_check reply = {};
  stage begins_in = stage::query;  ///< `lease` for a BEGIN
  pool_wait wait = pool_wait::unknown;
  protocol_kind kind = protocol_kind::simple;
  bool own_pace = false;                    ///< its duration says nothing
  std::uint64_t read_bytes_per_second = 0;  ///< 0: as fast as it comes
};

class session {
 public:
  session(path& of, runtime::signal& changed, stage_witness& witness) : connection_(of, changed, witness) {}

  /// All stages up to the first ReadyForQuery.
  static runtime::task<outcome<>> open(session* self);
  /// Sends the request and takes its answers up to the last one that is expected.
  static runtime::task<outcome<>> ask(session* self, exchange* what);
  /// Waits for the next notification.
  static runtime::task<outcome<>> await_notification(session* self);
  /// Terminate, and the peer's end of it.
  static runtime::task<outcome<>> leave(session* self);
  void drop() { connection_.drop(); }
  void reset() { connection_.reset(); }
  /// Says goodbye without waiting for anything.
  void part();

  connection& line() { return connection_; }
  const connection& line() const { return connection_; }
  bool is_open() const { return logged_in_ && connection_.is_open(); }
  /// It was logged in, and nobody has dropped it.
  bool exists() const { return logged_in_ && connection_.exists(); }

  std::uint32_t pid() const { return pid_; }
  const std::vector<std::byte>& cancel_key() const { return cancel_key_; }
  const std::string& server_version() const { return server_version_; }
  /// Payloads that have arrived and were not taken yet, oldest first.
  std::vector<std::string> take_notifications() { return std::exchange(notifications_, {}); }
  bool has_notifications() const { return !notifications_.empty(); }
  runtime::time_point last_used() const { return last_used_; }

 private:
  static runtime::task<outcome<>> await_ready(session* self);
  static runtime::task<void> read_slowly(session* self, std::size_t bytes, std::uint64_t per_second);
  /// Its first byte is there.
  void leave_first_stage(const exchange& what);
  static stage stage_of(const problem& wrong, const exchange& what);
  /// True: the exchange is complete.
  outcome<bool> take_messages(exchange& what, bool& first);
  /// ParameterStatus, NoticeResponse, NotificationResponse.
  bool takes_aside(const protocol::frame& message);

  connection connection_;
  bool logged_in_ = false;
  std::uint32_t pid_ = 0;
  std::vector<std::byte> cancel_key_;
  std::string server_version_;
  std::vector<std::string> notifications_;
  runtime::time_point last_used_{};
};

}  // namespace trunkline::storm
