// Every metric that `/metrics` shows: name, kind, help. docs/metrics.md has a line for each (a test
// compares), and the dashboard and the alert rules of deploy/monitoring may use no other. Constants; any
// thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace trunkline::telemetry {

/// `info`: a gauge of 1 that only carries labels. `total`: a counter whose name without `_total` is another
/// metric's, which OpenMetrics does not allow between typed families; there it goes without a type.
enum class metric_kind : std::uint8_t { counter, gauge, histogram, info, total };

/// `name` is that of the samples, without `_bucket`, `_sum` and `_count`.
struct metric_family {
  std::string_view name;
  metric_kind kind;
  std::string_view help;
};

// clang-format off
namespace metric {

inline constexpr metric_family sessions{"trunkline_sessions", metric_kind::gauge, "Client sessions that are open now, by the route they took."};
inline constexpr metric_family sessions_total{"trunkline_sessions_total", metric_kind::total, "Client sessions begun."};
inline constexpr metric_family session_closes{"trunkline_session_closes_total", metric_kind::counter, "Client sessions that ended, by the cause of their end."};
inline constexpr metric_family idle_before_death{"trunkline_session_idle_before_death_seconds", metric_kind::histogram, "How long a session had been silent when it died without anybody asking for it, by the leg that died. Each known idle timer on the road has a bucket of its own."};
inline constexpr metric_family login_seconds{"trunkline_login_seconds", metric_kind::histogram, "Time of a login, by phase."};
inline constexpr metric_family exchange_seconds{"trunkline_exchange_seconds", metric_kind::histogram, "Time of an exchange (from a request's first byte to the next ReadyForQuery), by where it went."};
inline constexpr metric_family exchanges{"trunkline_exchanges_total", metric_kind::counter, "Exchanges, by how they ended."};
inline constexpr metric_family errors{"trunkline_errors_total", metric_kind::counter, "Exchanges that ended with an error, by the class of its SQLSTATE (its first two characters; 00: none that could be read)."};
inline constexpr metric_family bytes{"trunkline_bytes_total", metric_kind::counter, "PostgreSQL's bytes, as seen from the gateway, without TLS."};
inline constexpr metric_family client_think{"trunkline_client_think_seconds", metric_kind::histogram, "Time between two exchanges of a session outside a transaction: the client has nothing to ask."};
inline constexpr metric_family idle_in_transaction{"trunkline_idle_in_transaction_seconds", metric_kind::histogram, "Time between two exchanges of a session inside a transaction: locks are held while the client thinks."};
inline constexpr metric_family pinned_sessions{"trunkline_pinned_sessions", metric_kind::gauge, "Sessions with pooling: transaction that keep their server connection between transactions now, by what they have left on it."};
inline constexpr metric_family pins{"trunkline_pins_total", metric_kind::counter, "Times that a session began to keep its server connection between transactions, by why."};
inline constexpr metric_family pool_connections{"trunkline_pool_connections", metric_kind::gauge, "Server connections of a pool now, by what they do: active (a client has it), idle, opening, resetting (the last client's traces are removed)."};
inline constexpr metric_family pool_size{"trunkline_pool_size", metric_kind::gauge, "Server connections that the pool may have."};
inline constexpr metric_family pool_waiting_clients{"trunkline_pool_waiting_clients", metric_kind::gauge, "Clients that wait for a server connection of the pool now."};
inline constexpr metric_family pool_notifications_missed{"trunkline_pool_notifications_missed_total", metric_kind::counter, "Times that a client was warned that it may have missed notifications, because the connection that listens for its pool was lost."};
inline constexpr metric_family pool_wait_seconds{"trunkline_pool_wait_seconds", metric_kind::histogram, "Time that clients waited for a pooled server connection, of those who found none at once."};
inline constexpr metric_family policy_decisions{"trunkline_policy_decisions_total", metric_kind::counter, "What the access policies said to a client, by the outcome: allow, deny, or wait for an approval."};
inline constexpr metric_family policy_denied_statements{"trunkline_policy_denied_statements_total", metric_kind::counter, "Statements that an access policy has refused, by why."};
inline constexpr metric_family rbac_reviews{"trunkline_rbac_reviews_total", metric_kind::counter, "Answers of Kubernetes API servers to whether a client may connect, at logins and again while it is connected."};
inline constexpr metric_family cancels{"trunkline_cancels_total", metric_kind::counter, "Cancel requests, by what became of them."};
inline constexpr metric_family tcp_rtt{"trunkline_tcp_rtt_seconds", metric_kind::histogram, "Round-trip time of the network as the kernel measures it, by leg."};
inline constexpr metric_family tcp_retransmits{"trunkline_tcp_retransmits_total", metric_kind::counter, "TCP segments that the gateway had to send again, by leg."};

inline constexpr metric_family endpoint_up{"trunkline_endpoint_up", metric_kind::gauge, "1 where the endpoint accepts sessions, 0 where it is down, or is not what its upstream is."};
inline constexpr metric_family endpoint_role{"trunkline_endpoint_role", metric_kind::gauge, "1 for the role that the endpoint has."};
inline constexpr metric_family replica_lag{"trunkline_replica_lag_seconds", metric_kind::gauge, "How far the replica is behind the primary."};
inline constexpr metric_family endpoint_sessions{"trunkline_endpoint_sessions", metric_kind::gauge, "Sessions that are on the endpoint now."};
inline constexpr metric_family logins_waiting{"trunkline_logins_waiting", metric_kind::gauge, "Sessions that wait for their turn to log in to the endpoint."};
inline constexpr metric_family endpoint_ejected{"trunkline_endpoint_ejected", metric_kind::gauge, "1 while the endpoint rests because logins failed there in a row."};
inline constexpr metric_family held_sessions{"trunkline_held_sessions", metric_kind::gauge, "Sessions that wait for a server of the upstream now."};
inline constexpr metric_family hold_seconds{"trunkline_hold_seconds_total", metric_kind::counter, "Time that sessions have waited for a server of the upstream."};
inline constexpr metric_family holds{"trunkline_holds_total", metric_kind::counter, "Waits of sessions for a server of the upstream."};
inline constexpr metric_family failovers{"trunkline_failovers_total", metric_kind::counter, "Times that the upstream's primary was lost and one was found again."};
inline constexpr metric_family failover_gap{"trunkline_failover_gap_seconds", metric_kind::gauge, "How long no primary was known the last time that it was lost."};
inline constexpr metric_family upstream_paused{"trunkline_upstream_paused", metric_kind::gauge, "1 while new work for the upstream is held by PAUSE or SWITCHOVER."};
inline constexpr metric_family topology_changes{"trunkline_topology_changes_total", metric_kind::counter, "Changes of the upstream's endpoints and of what they are."};
inline constexpr metric_family discovery_failures{"trunkline_discovery_failures_total", metric_kind::counter, "Look-ups of the upstream's names, and questions to the Kubernetes API, that failed; what was known before stayed in use."};
inline constexpr metric_family discovery_age{"trunkline_discovery_age_seconds", metric_kind::gauge, "Since the Kubernetes API last said that the upstream's endpoints are those that are known."};

inline constexpr metric_family kubernetes_objects{"trunkline_kubernetes_objects", metric_kind::gauge, "Objects of Kubernetes that are configuration, by whether they are a part of it (accepted) or were left out (refused)."};
inline constexpr metric_family kubernetes_objects_age{"trunkline_kubernetes_objects_age_seconds", metric_kind::gauge, "Since the Kubernetes API last said that the objects of the kind are those that are known."};
inline constexpr metric_family kubernetes_leader{"trunkline_kubernetes_leader", metric_kind::gauge, "1 where this replica is the one that writes the status of objects."};

inline constexpr metric_family audit_enabled{"trunkline_audit_enabled", metric_kind::gauge, "1 where the configuration has an audit."};
inline constexpr metric_family audit_blocked{"trunkline_audit_blocked", metric_kind::gauge, "1 while audit events cannot be written: sessions stop (onFailure: block) or events are lost (continue)."};
inline constexpr metric_family audit_events{"trunkline_audit_events_total", metric_kind::counter, "Audit events written."};
inline constexpr metric_family audit_dropped{"trunkline_audit_dropped_total", metric_kind::counter, "Audit events lost, each told by a gap event."};
inline constexpr metric_family audit_lag{"trunkline_audit_lag_seconds", metric_kind::gauge, "Age of the oldest audit event that is not yet on disk."};

inline constexpr metric_family access_requests{"trunkline_access_requests", metric_kind::gauge, "Requests for access that are open now, of all gateways that share the store."};
inline constexpr metric_family access_grants{"trunkline_access_grants", metric_kind::gauge, "Grants that are active now, of all gateways that share the store."};
inline constexpr metric_family access_waiting{"trunkline_access_waiting_sessions", metric_kind::gauge, "Client sessions of this gateway that wait for an approval now."};
inline constexpr metric_family access_changes{"trunkline_access_changes_total", metric_kind::counter, "What has become of requests for access, by what, each counted by the gateway that did it."};
inline constexpr metric_family access_refused{"trunkline_access_refused_total", metric_kind::counter, "Sessions whose request for access could not be made: no reason, too many requests, or no store."};
inline constexpr metric_family access_store_up{"trunkline_access_store_up", metric_kind::gauge, "1 while the store of requests and grants works; absent without one."};
inline constexpr metric_family webhooks_delivered{"trunkline_webhooks_delivered_total", metric_kind::counter, "Messages about requests for access that a receiver has taken."};
inline constexpr metric_family access_roles{"trunkline_access_roles", metric_kind::gauge, "Roles at servers that grants have of this gateway now, being made or dropped included."};
inline constexpr metric_family access_role_changes{"trunkline_access_role_changes_total", metric_kind::counter, "What this gateway has done about the roles of grants: created, dropped, or failed to do."};
inline constexpr metric_family webhooks_lost{"trunkline_webhooks_lost_total", metric_kind::counter, "Messages about requests for access that could not be delivered in time."};

inline constexpr metric_family worker_busy_ratio{"trunkline_worker_busy_ratio", metric_kind::gauge, "Share of the last ten seconds in which the worker's loop did not wait; 1: it never did."};
inline constexpr metric_family worker_busy{"trunkline_worker_busy_seconds_total", metric_kind::counter, "Time in which the worker's loop did not wait."};
inline constexpr metric_family worker_turns{"trunkline_worker_turns_total", metric_kind::counter, "Turns of the worker's loop."};
inline constexpr metric_family worker_silence{"trunkline_worker_silence_seconds", metric_kind::gauge, "Time since the worker's loop last turned."};

inline constexpr metric_family ready{"trunkline_ready", metric_kind::gauge, "1 while the gateway is configured, listening and not draining: what /readyz says."};
inline constexpr metric_family draining{"trunkline_draining", metric_kind::gauge, "1 while the gateway drains."};
inline constexpr metric_family not_postgres{"trunkline_not_postgres_total", metric_kind::counter, "Connections that did not speak PostgreSQL's protocol, such as port scans and HTTP probes."};
inline constexpr metric_family config_generation{"trunkline_config_generation", metric_kind::gauge, "Number of the configuration in force: 1 at start, one more with each reload."};
inline constexpr metric_family config_reload_failures{"trunkline_config_reload_failures_total", metric_kind::counter, "Reloads that were refused; the old configuration stayed in force."};
inline constexpr metric_family certificate_expiry{"trunkline_certificate_expiry_seconds", metric_kind::gauge, "Time until the certificate expires; negative: it has."};
inline constexpr metric_family build{"trunkline_build_info", metric_kind::info, "The version of this binary."};

inline constexpr metric_family process_start{"process_start_time_seconds", metric_kind::gauge, "When the process started, in seconds since 1970."};
inline constexpr metric_family process_cpu{"process_cpu_seconds_total", metric_kind::counter, "Processor time of the process, user and system."};
inline constexpr metric_family process_resident{"process_resident_memory_bytes", metric_kind::gauge, "Memory of the process that is resident."};
inline constexpr metric_family process_virtual{"process_virtual_memory_bytes", metric_kind::gauge, "Address space of the process."};
inline constexpr metric_family process_open_files{"process_open_fds", metric_kind::gauge, "Open file descriptors."};
inline constexpr metric_family process_max_files{"process_max_fds", metric_kind::gauge, "File descriptors that the process may open."};

}  // namespace metric
// clang-format on

}  // namespace trunkline::telemetry
