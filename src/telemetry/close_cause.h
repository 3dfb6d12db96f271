// Why a session ended (interfaces.md, "Close causes"): one name for logs, metrics and audit. Value type; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace trunkline::telemetry {

enum class cause : std::uint8_t {
  client_terminate,
  client_eof,
  client_reset,
  client_timeout,
  server_eof,
  server_reset,
  server_timeout,
  server_fatal,  ///< with an SQLSTATE
  server_unreachable,
  login_failed,  ///< with an SQLSTATE
  login_timeout,
  tls_client,
  tls_server,
  protocol_client,
  protocol_server,
  not_postgres,
  idle_timeout,
  transaction_timeout,
  session_timeout,
  limit,
  drain,
  endpoint_gone,  ///< its server was removed, or has another role now
  killed,
  audit_blocked,
  policy_denied,   ///< no access policy lets it in
  access_expired,  ///< what its policy, or its grant, allows is over
  access_revoked,  ///< it was taken away
  internal,
};
inline constexpr std::size_t cause_count = static_cast<std::size_t>(cause::internal) + 1;

/// Which side ended it: its own doing (client, server) or the gateway's decision.
enum class leg : std::uint8_t { client, server, gateway };

struct close_cause {
  cause what = cause::internal;
  sqlstate code{};  ///< of server_fatal and login_failed

  /// "client_eof", "server_fatal:57P01".
  std::string text() const;
  leg ended_by() const;
};

std::string_view name_of(cause which);
std::string_view name_of(leg which);

}  // namespace trunkline::telemetry
