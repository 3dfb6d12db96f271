// Every check there is. Each stands in a file of its own, check_….cc.
#pragma once

#include "doctor/check.h"

namespace trunkline::doctor {

extern const check reach_check;
extern const check dns_check;
extern const check ssl_request_check;
extern const check gssenc_check;
extern const check silence_check;
extern const check login_check;
extern const check protocol_version_check;
extern const check scram_check;
extern const check tls_check;
extern const check round_trips_check;
extern const check pooler_check;
extern const check server_check;
extern const check keepalive_check;
extern const check prepared_check;
extern const check session_state_check;
extern const check cancel_check;
extern const check abandoned_check;
extern const check role_check;
extern const check sizes_check;
extern const check small_writes_check;
extern const check throttling_check;
extern const check slow_start_check;
extern const check copy_check;
extern const check replication_check;
extern const check logins_check;
extern const check clock_check;
extern const check idle_check;
extern const check watch_check;
extern const check gateway_check;
extern const check still_there_check;

/// Of still-there: what a check said, unless the path has died meanwhile, which is noted in the facts.
runtime::task<judgements> unless_dead(examination* of, const check* which, judgements said);

/// Of slow-start: each result after a pause took two round trips more than any without one, but for the worst
/// of these.
bool is_window_lost(const std::vector<microseconds>& behind, const std::vector<microseconds>& after,
                    microseconds trip);

/// Of round-trips: TCP ends near this host, and the server is further away.
bool is_answered_nearby(microseconds syn, std::optional<microseconds> ssl_trip, microseconds query_trip);

}  // namespace trunkline::doctor
