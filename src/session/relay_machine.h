// What to do when something happens to a session whose bytes flow: a pure function from an event to actions.
// The relay performs them; here is every rule about ends (wire.md 7, product.md G6), and none about sockets.
// No clock, no I/O. Owner: the relay.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/error.h"
#include "telemetry/close_cause.h"

namespace trunkline::session {

/// What the relay knows at the moment of the event.
struct relay_view {
  bool busy = false;                   ///< an answer is outstanding
  bool idle = false;                   ///< nothing under way, no transaction: safe to end
  bool replication = false;            ///< a walsender's session: its stream ends with a FIN
  bool terminate_seen = false;         ///< the client sent Terminate
  bool client_boundary = false;        ///< the client has only whole messages: an ErrorResponse may follow
  bool progress = false;               ///< bytes flowed since the last `wait` was armed
  bool server_unsent = false;          ///< the server's socket has not taken all bytes yet
  bool client_unsent = false;          ///< the client's neither
  std::optional<sqlstate> fatal = {};  ///< the server said why it ends
};

enum class relay_event : std::uint8_t {
  client_fin,
  client_reset,
  client_timeout,
  server_fin,
  server_reset,
  server_timeout,
  protocol_client,  ///< the client sent an illegal header
  protocol_server,
  wait_over,   ///< the time asked for by `actions::wait`
  drain,       ///< finish as soon as it hurts nobody
  at_rest,     ///< told while draining: the session came to rest
  killed,      ///< KILL or KILL_CLIENT: now, whatever is under way
  drain_over,  ///< the grace time has passed
  leave,       ///< its server is no longer right for it: as drain, for another reason
  leave_now,   ///< the same, at once: what it would still commit is lost
  idle_timeout,
  transaction_timeout,
  session_timeout,
  access_expired,  ///< what its access policy, or its grant, allows is over
  access_revoked,  ///< it was taken away
  audit_blocked,   ///< what happens cannot be kept on record, and must be
};

struct relay_actions {
  bool finish_server = false;     ///< pass the client's FIN on
  bool finish_client = false;     ///< pass the server's FIN on
  bool cancel_statement = false;  ///< send a CancelRequest for this session's backend
  bool terminate_server = false;  ///< say Terminate to the server
  bool reset_server = false;
  bool reset_client = false;
  std::optional<error> tell_client;
  std::optional<std::chrono::milliseconds> wait;
  std::optional<telemetry::close_cause> end;
};

class relay_machine {
 public:
  relay_actions on(relay_event event, const relay_view& view);
  /// It ends for a reason that only the caller knows.
  relay_actions fail(const relay_view& view, telemetry::cause cause, error why) {
    return end_by_gateway(view, cause, std::move(why));
  }
  bool draining() const { return draining_; }
  /// Nothing has happened yet that it remembers.
  bool is_fresh() const {
    return !client_fin_ && !server_fin_ && !server_was_first_ && !cancelled_ && !draining_ && !leaving_;
  }
  bool client_finished() const { return client_fin_; }

 private:
  relay_actions at_rest(const relay_view& view);
  relay_actions client_finished(const relay_view& view);
  relay_actions client_lost(const relay_view& view, telemetry::cause cause);
  relay_actions server_finished(const relay_view& view);
  relay_actions server_lost(const relay_view& view, telemetry::cause cause);
  relay_actions waited(const relay_view& view);
  relay_actions end_by_gateway(const relay_view& view, telemetry::cause cause, error why);
  /// Why it ends, where neither side broke: the server's last word, the client's Terminate, or the first FIN.
  telemetry::close_cause orderly_cause(const relay_view& view) const;

  bool client_fin_ = false;
  bool server_fin_ = false;
  bool server_was_first_ = false;
  bool cancelled_ = false;
  bool draining_ = false;
  bool leaving_ = false;  ///< it drains because of its server
};

}  // namespace trunkline::session
