#include "session/relay_machine.h"

#include <utility>

#include "base/limits.h"

namespace trunkline::session {

using telemetry::cause;
using telemetry::close_cause;

namespace {

error server_lost_error() {
  return {.source = error_source::server,
          .code = sqlstates::connection_failure,
          .message = "the connection between the gateway and the server was lost",
          .hint = "The server may have crashed or restarted, or a device on the path forgot the connection."};
}

error server_gone_error() {
  return {.source = error_source::server,
          .code = sqlstates::admin_shutdown,
          .message = "terminating connection because the server closed it without a word",
          .hint = "The server may have crashed or been killed. Connect again."};
}

error drain_error() {
  return {.code = sqlstates::admin_shutdown,
          .message = "terminating connection because the gateway is shutting down",
          .hint = "Connect again: another replica or the restarted gateway will take the connection."};
}

error killed_error() {
  return {.code = sqlstates::admin_shutdown,
          .message = "terminating connection due to administrator command",
          .hint = "An operator used KILL or KILL_CLIENT at the gateway's console."};
}

error endpoint_error() {
  return {.code = sqlstates::admin_shutdown,
          .message = "terminating connection because its server has been removed or has another role now",
          .hint = "Connect again: the gateway knows which server is the right one."};
}

error audit_error() {
  return {
      .code = sqlstates::io_error,
      .message = "terminating connection because the gateway cannot write its audit",
      .hint =
          "It goes on by itself when the audit's storage works again; the gateway's log says what is wrong."};
}

error access_error(relay_event which) {
  if (which == relay_event::access_expired) {
    return {.code = sqlstates::admin_shutdown,
            .message = "terminating connection: access expired",
            .hint = "The access policy's hours or maxLength, or a grant, set it."};
  }
  return {.code = sqlstates::admin_shutdown,
          .message = "terminating connection: access revoked",
          .hint = "The access policies have changed, or a grant was taken back."};
}

error timeout_error(relay_event which) {
  switch (which) {
    case relay_event::idle_timeout:
      return {.code = sqlstates::idle_session_timeout,
              .message = "terminating connection due to the gateway's idle timeout",
              .hint = "The route's limits.idleTimeout sets it."};
    case relay_event::transaction_timeout:
      return {.code = sqlstates::transaction_timeout,
              .message = "terminating connection due to the gateway's transaction timeout",
              .hint = "The route's limits.transactionTimeout sets it."};
    default:
      return {.code = sqlstates::admin_shutdown,
              .message = "terminating connection because it reached the gateway's session timeout",
              .hint = "The route's limits.sessionTimeout sets it."};
  }
}

}  // namespace

relay_actions relay_machine::on(relay_event event, const relay_view& view) {
  switch (event) {
    case relay_event::client_fin:
      return client_finished(view);
    case relay_event::client_reset:
      return client_lost(view, cause::client_reset);
    case relay_event::client_timeout:
      return client_lost(view, cause::client_timeout);
    case relay_event::server_fin:
      return server_finished(view);
    case relay_event::server_reset:
      return server_lost(view, cause::server_reset);
    case relay_event::server_timeout:
      return server_lost(view, cause::server_timeout);
    case relay_event::protocol_client:
      return end_by_gateway(view, cause::protocol_client,
                            {.source = error_source::client,
                             .code = sqlstates::protocol_violation,
                             .message = "invalid message length in the stream from the client"});
    case relay_event::protocol_server:
      return end_by_gateway(view, cause::protocol_server,
                            {.source = error_source::server,
                             .code = sqlstates::protocol_violation,
                             .message = "invalid message length in the stream from the server"});
    case relay_event::wait_over:
      return waited(view);
    case relay_event::leave:
      leaving_ = true;
      return at_rest(view);
    case relay_event::drain:
    case relay_event::at_rest:
      return at_rest(view);
    case relay_event::drain_over:
      return end_by_gateway(view, cause::drain, drain_error());
    case relay_event::killed:
      return end_by_gateway(view, cause::killed, killed_error());
    case relay_event::leave_now:
      return end_by_gateway(view, cause::endpoint_gone, endpoint_error());
    case relay_event::idle_timeout:
      return end_by_gateway(view, cause::idle_timeout, timeout_error(event));
    case relay_event::transaction_timeout:
      return end_by_gateway(view, cause::transaction_timeout, timeout_error(event));
    case relay_event::session_timeout:
      return end_by_gateway(view, cause::session_timeout, timeout_error(event));
    case relay_event::access_expired:
      return end_by_gateway(view, cause::access_expired, access_error(event));
    case relay_event::access_revoked:
      return end_by_gateway(view, cause::access_revoked, access_error(event));
    case relay_event::audit_blocked:
      return end_by_gateway(view, cause::audit_blocked, audit_error());
  }
  return {};
}

relay_actions relay_machine::at_rest(const relay_view& view) {
  draining_ = true;
  if (!view.idle) return {};
  if (leaving_) return end_by_gateway(view, cause::endpoint_gone, endpoint_error());
  return end_by_gateway(view, cause::drain, drain_error());
}

close_cause relay_machine::orderly_cause(const relay_view& view) const {
  if (view.fatal) return {cause::server_fatal, *view.fatal};
  if (view.terminate_seen) return {cause::client_terminate};
  return {server_was_first_ ? cause::server_eof : cause::client_eof};
}

relay_actions relay_machine::client_finished(const relay_view& view) {
  client_fin_ = true;
  relay_actions actions;
  if (server_fin_ || (view.terminate_seen && !view.busy && !view.server_unsent)) {
    actions.end = orderly_cause(view);
    return actions;
  }
  // A FIN may be half a close: the answers still go to the client. The server sees the FIN when it next
  // reads.
  actions.finish_server = true;
  actions.wait = view.busy ? limits::half_close_grace : limits::farewell_timeout;
  return actions;
}

relay_actions relay_machine::waited(const relay_view& view) {
  relay_actions actions;
  if (server_fin_ && view.client_unsent) {
    // A slow client gets all that the server said; one that takes nothing is ended by TCP_USER_TIMEOUT.
    actions.wait = limits::farewell_timeout;
    return actions;
  }
  if (!server_fin_ && view.busy && view.progress) {
    actions.wait = cancelled_ ? limits::abandoned_server_grace : limits::half_close_grace;
    return actions;
  }
  if (!server_fin_ && view.busy && !cancelled_) {
    cancelled_ = true;
    actions.cancel_statement = true;
    actions.wait = limits::abandoned_server_grace;
    return actions;
  }
  actions.reset_server = !server_fin_;
  actions.end = orderly_cause(view);
  return actions;
}

relay_actions relay_machine::client_lost(const relay_view& view, cause why) {
  relay_actions actions;
  actions.cancel_statement = view.busy && !server_fin_;
  actions.reset_server = true;
  // psql and others close with answers unread after Terminate, which resets: that was still an orderly
  // goodbye.
  const bool orderly = server_was_first_ || view.fatal || (view.terminate_seen && !view.busy);
  actions.end = orderly ? orderly_cause(view) : close_cause{client_fin_ ? cause::client_eof : why};
  return actions;
}

relay_actions relay_machine::server_finished(const relay_view& view) {
  server_fin_ = true;
  server_was_first_ = !client_fin_;
  relay_actions actions;
  if (client_fin_) {
    actions.finish_client = true;
    actions.end = orderly_cause(view);
    return actions;
  }
  if (view.client_boundary && !view.client_unsent && !view.fatal && !view.terminate_seen &&
      !view.replication) {
    // It went without a word, as when its postmaster was killed.
    actions.tell_client = view.idle ? server_gone_error() : server_lost_error();
    actions.end = orderly_cause(view);
    return actions;
  }
  actions.finish_client = true;
  actions.wait = limits::farewell_timeout;
  return actions;
}

relay_actions relay_machine::server_lost(const relay_view& view, cause why) {
  relay_actions actions;
  if (client_fin_ || server_fin_ || view.terminate_seen || view.fatal) {
    actions.end = orderly_cause(view);
    return actions;
  }
  if (view.client_boundary) actions.tell_client = server_lost_error();
  actions.reset_client = why == cause::server_reset;
  actions.end = close_cause{why};
  return actions;
}

relay_actions relay_machine::end_by_gateway(const relay_view& view, cause why, error say) {
  relay_actions actions;
  actions.cancel_statement = view.busy && !server_fin_;
  actions.terminate_server = view.idle;
  actions.reset_server = why == cause::protocol_server;
  if (view.client_boundary) actions.tell_client = std::move(say);
  actions.end = close_cause{why};
  return actions;
}

}  // namespace trunkline::session
