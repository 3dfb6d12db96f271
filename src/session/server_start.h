// The server's side of a login's end: what comes between AuthenticationOk and the first ReadyForQuery, passed
// on to the client with the gateway's own cancel key in place of the server's. Shared by both ways to
// authenticate.
#pragma once

#include "session/login_context.h"

namespace trunkline::session {

/// The packet for the server: the client's own bytes, unless the route adds settings or another user.
std::vector<std::byte> startup_packet_for_server(const login_context& context);

/// Handles one message of the server that may come at any time of a login; what the client is to see is
/// appended to `out`. Ends the login where the server refuses it (its ErrorResponse is in `out` then: write
/// that first).
class server_messages {
 public:
  explicit server_messages(login_context& context) : context_(context) {}

  step<> take(const protocol::frame& message, std::vector<std::byte>& out);
  bool ready() const { return ready_; }
  /// As the server's in_hot_standby says (PostgreSQL 14 and later); nothing: it does not say.
  std::optional<bool> in_recovery() const { return in_recovery_; }
  cancel_registry::ticket take_cancel_ticket() { return std::move(cancel_); }

 private:
  step<> take_key(byte_span body, std::vector<std::byte>& out);
  void take_parameter(byte_span body);

  login_context& context_;
  cancel_registry::ticket cancel_;
  std::optional<bool> in_recovery_;
  bool ready_ = false;
};

void append_frame(std::vector<std::byte>& out, const protocol::frame& message);

/// After AuthenticationOk: up to ReadyForQuery, which is written to the client together with all before it,
/// once it is certain that the server is what the route wants (product.md G9). `out` begins with what is
/// still to be written; where the server will not do, the client has heard nothing of it.
runtime::task<step<cancel_registry::ticket>> finish_login(login_context* context, std::vector<std::byte> out);

/// A refusal that is about the server, not about who logs in, and there is another server to try, or time to
/// wait for one.
bool another_may_do(const login_context& context, sqlstate refusal);

/// Says goodbye to a server that will not do; the search goes on without it.
void leave_server(login_context& context, const login_end& why);
/// The same, and nothing is held against it: the search may find it again.
void let_go_of_server(login_context& context);

}  // namespace trunkline::session
