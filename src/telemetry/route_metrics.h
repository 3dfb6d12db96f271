// What one worker counts for one route (interfaces.md, "Metrics"). Written by that worker's loop thread only,
// read by any thread; made at the first session of a route and kept until the process ends, so that no
// counter ever goes back. The sum over the workers is what `/metrics` shows.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "telemetry/close_cause.h"
#include "telemetry/exchange.h"
#include "telemetry/histogram.h"
#include "telemetry/pin_reasons.h"

namespace trunkline::telemetry {

/// Phases of a login, `login_seconds{phase}`.
enum class login_phase : std::uint8_t { tls, auth, lease, server };
inline constexpr std::size_t login_phase_count = 4;
inline constexpr std::array<std::string_view, login_phase_count> login_phase_names{"tls", "auth", "lease",
                                                                                   "server"};

/// Index of what is counted for each leg.
enum class side : std::uint8_t { client, server };
inline constexpr std::size_t side_count = 2;
inline constexpr std::array<std::string_view, side_count> side_names{"client", "server"};

/// What the access policies say to a login, `policy_decisions_total{outcome}`.
inline constexpr std::array<std::string_view, 3> policy_outcome_names{"allow", "deny", "wait"};
/// Why a policy refuses a statement, `policy_denied_statements_total{class}`.
enum class statement_refusal : std::uint8_t {
  ddl,
  copy_program,
  do_block,
  roles,
  unqualified_write,
  role,        ///< it leaves the role that the session has assumed
  read_only,   ///< it would let the session write
  setting,     ///< it sets what changes how texts are read, or what is not in the text
  hidden,      ///< it hands a text of SQL to a function
  unreadable,  ///< too long, or not in the grammar
  fastpath,    ///< FunctionCall
};
inline constexpr std::array<std::string_view, 11> statement_refusal_names{
    "ddl",  "copyProgram", "do",     "roles",      "unqualifiedWrite", "role",
    "read", "setting",     "hidden", "unreadable", "fastpath"};

struct route_metrics {
  std::string route;
  std::string upstream;

  std::array<latency_histogram, phase_count> exchange_seconds;
  std::array<counter, outcome_count> exchanges;
  std::array<counter, 36 * 36> errors_by_class;  ///< by `class_index`
  latency_histogram client_think;                ///< between exchanges, outside a transaction
  latency_histogram idle_in_transaction;         ///< between exchanges, inside one
  std::array<latency_histogram, login_phase_count> login_seconds;
  std::array<latency_histogram, side_count> tcp_rtt;
  std::array<counter, side_count> tcp_retransmits;
  /// A relay sends on what it receives: this is what went out on the other leg too.
  std::array<counter, side_count> bytes_received;
  counter sessions_begun;
  counter sessions_over;
  /// Times that a client got a server connection: with a pool each time it takes one, otherwise one a
  /// session.
  counter assignments;
  std::array<counter, cause_count> closes;
  /// Of sessions whose end nobody asked for, by the leg that died. Where a write found the leg dead, the
  /// silence before that write.
  std::array<idle_death_histogram, side_count> idle_before_death;

  std::array<counter, policy_outcome_names.size()> policy_decisions;
  std::array<counter, statement_refusal_names.size()> denied_statements;  ///< by statement_refusal

  /// Pooled sessions that began, or ceased, to keep their server connection, by `pin_reason_of`.
  std::array<counter, pin_reason_count> pins;
  std::array<counter, pin_reason_count> unpins;

  std::uint64_t open_sessions() const {
    const std::uint64_t over =
        sessions_over.value();  // first: what begins meanwhile must not make it negative
    const std::uint64_t begun = sessions_begun.value();
    return begun > over ? begun - over : 0;
  }
  std::uint64_t pinned_sessions(std::size_t reason) const {
    const std::uint64_t over = unpins[reason].value();  // first, for the same reason
    const std::uint64_t begun = pins[reason].value();
    return begun > over ? begun - over : 0;
  }
};

/// The index of an SQLSTATE's class; 0 where it has other characters than [0-9A-Z].
std::size_t class_index(sqlstate code);
/// Its two characters.
std::array<char, 2> class_of_index(std::size_t index);

/// What one worker counts besides: written by its loop thread, read by any.
struct worker_metrics {
  std::atomic<std::int64_t> heartbeat_ns{0};  ///< steady clock, as of the loop's last turn
  counter busy_ns;                            ///< time in which the loop did not wait
  counter turns;
  counter audit_events;
  counter audit_dropped;
};

}  // namespace trunkline::telemetry
