// Whether a session that an access policy holds to something may run a statement, by what is known of its
// text; and what it is told where it may not. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "access/policy.h"
#include "base/error.h"
#include "sql/guard_facts.h"
#include "telemetry/route_metrics.h"

namespace trunkline::session {

using telemetry::statement_refusal;

/// `facts`: bits of sql::guard_fact. Nothing: it may.
std::optional<statement_refusal> judge(const access::guard_rules& rules, std::uint32_t facts);

/// 42501, with the policy's name.
error refusal_error(statement_refusal why, const access::policy& by);

/// A command of the replication protocol and no SQL, as a walsender tells the two apart: by the first word
/// (documentation, "Streaming Replication Protocol").
bool is_replication_command(std::string_view text);

/// A text that fails at the server by itself, whatever state its transaction is in, and changes nothing: what
/// is sent in the place of a refused one, so that server and client agree on what follows.
std::string failing_text(const access::policy& by);

}  // namespace trunkline::session
