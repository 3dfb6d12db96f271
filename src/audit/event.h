// What happens seldom in a session's life, as its worker tells the audit thread (interfaces.md, "Audit
// events"). Exchanges, which happen often, come as bytes instead: see tap.h. Value types, handed over whole.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "telemetry/close_cause.h"

namespace trunkline::audit {

/// `session.start`: what is known when the client's start-up packet was read. Opaque (passthrough) sessions
/// have no user and database.
struct session_started {
  std::string client;  ///< "10.0.0.7:51234"
  std::string listener;
  std::string tls_version;  ///< empty: plaintext
  std::string tls_cipher;
  std::string server_name;         ///< SNI
  std::string client_certificate;  ///< its subject; empty: none
  std::string principal;           ///< the user's name: who the client is is known when it has logged in
  std::string user;
  std::string database;
  std::string route;  ///< empty: none fitted
  std::string application_name;
  bool replication = false;
};

/// `session.login`: the end of the login, good or bad.
struct session_login {
  std::string method;          ///< "server", "scram", "trust", "cert", "jwt", "kubernetes", "passthrough"
  std::string principal = {};  ///< where the method tells one; its events carry it from here on
  std::vector<std::string> groups = {};  ///< of that principal
  std::string policy = {};               ///< that has decided; empty: none was asked, or none fits
  bool ok = false;
  sqlstate code;            ///< of the refusal
  std::string reason = {};  ///< of the refusal, in words that the client was not told
  std::string endpoint;     ///< the server's address; empty: not reached
  std::string server_user;
  /// Seconds by phase: tls, auth, lease, server.
  std::array<double, 4> seconds{};
};

/// TCP_INFO of one leg at the end.
struct leg_state {
  std::int64_t rtt_us = 0;
  std::uint32_t retransmits = 0;
  std::uint32_t unacked = 0;
};

/// `session.end`.
struct session_ended {
  telemetry::close_cause cause;
  std::string detail;
  std::string likely;  ///< what is likely behind it, in words; empty: nothing to say
  char transaction_status = '-';
  double seconds = 0;
  double idle_seconds = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t exchanges = 0;
  std::optional<leg_state> client;
  std::optional<leg_state> server;
};

/// `cancel`: a CancelRequest was served. `session` of the event is the one it was meant for, 0 where none
/// fitted.
struct cancel_served {
  std::string client;
  std::string result;  ///< "forwarded", "no_such_session", "server_unreachable", ...
};

/// `config.reload`.
struct config_reloaded {
  std::uint64_t generation = 0;
  std::string reason;
  bool ok = true;
  std::string problem;
};

/// `access.request`, `access.approve` and so on: what has become of a request for access.
struct access_changed {
  std::string_view event;  ///< a text that stays
  std::int64_t request = 0;
  std::string principal;  ///< who asked
  std::string by;         ///< who did it; empty: the clock
  std::string reason;
  std::string policy;
  std::string route;
  std::string database;
  std::string user;  ///< of the database
  std::string role;  ///< that sessions assume; empty: their own
  std::string client;
  std::string until;  ///< the end of the grant; empty: there is none
  bool break_glass = false;
};

/// `console.command`: somebody had the gateway do something; `access.refused`: wanted to, over the API.
struct operator_acted {
  std::string_view event;  ///< a text that stays
  std::string by;          ///< who; empty: nobody who is known
  std::string client;      ///< empty: not told
  std::string command;     ///< "PAUSE app", "approve 7"
  bool ok = true;
  std::string problem;      ///< why not
  std::uint64_t times = 1;  ///< as often since the event before
};

struct rare_event {
  std::uint64_t session = 0;  ///< 0: of no session
  std::chrono::steady_clock::time_point when{};
  std::variant<session_started, session_login, session_ended, cancel_served, config_reloaded, access_changed,
               operator_acted>
      what;
};

}  // namespace trunkline::audit
