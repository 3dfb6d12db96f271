// What a client does in one round, by workload. Each file rounds_*.cc holds a few of them. Owner: the
// client's coroutine, on the loop thread.
#pragma once

#include <string>
#include <vector>

#include "runtime/task.h"
#include "storm/client.h"

namespace trunkline::storm {

using round_of = runtime::task<bool> (*)(client* who);

/// Over a session that is logged in. False: something went wrong and was noted, or the crowd stops in the
/// middle; the sessions are to be dropped.
runtime::task<bool> play_round(client* who, workload kind);

runtime::task<bool> query_round(client* who);
runtime::task<bool> prepared_round(client* who);
runtime::task<bool> pipeline_round(client* who);
runtime::task<bool> copy_round(client* who);
runtime::task<bool> bulk_round(client* who);
runtime::task<bool> cancel_round(client* who);
runtime::task<bool> notify_round(client* who);
runtime::task<bool> idle_round(client* who);
runtime::task<bool> disconnect_round(client* who);

/// Padding of a usual row, in bytes.
inline constexpr std::uint32_t usual_padding = 24;

/// One statement of the simple protocol without rows: "BEGIN" answers with the tag "BEGIN" and the status
/// 'T'.
exchange command(const std::string& sql, std::vector<std::string> tags, char status,
                 stage begins_in = stage::query);
/// One result of the simple protocol with these rows.
exchange rows_query(const row_check& rows, char status);
/// A bound on whatever else this transaction does.
std::string set_local_timeout(const client& who);

}  // namespace trunkline::storm
