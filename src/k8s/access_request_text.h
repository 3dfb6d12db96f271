// What a gateway writes into an AccessRequest: its spec once, and its status as the record goes on. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/sha256.h"
#include "grants/record.h"
#include "k8s/access_request.h"

namespace trunkline::k8s {

/// "TimedOut".
std::string state_text(grants::state which);
std::optional<grants::state> state_of(std::string_view text);
/// "Approve".
std::string_view decision_text(grants::decision which);
std::optional<grants::decision> decision_of(std::string_view text);

/// By which an answer is known to have been judged. Two that are equal are one.
std::string answer_id(const json& answer);
std::string hex_of(const auth::digest& of, std::size_t bytes);

/// Without `answers`, whose place is there.
json spec_of(const grants::record& of, const request_scope& scope);
json status_of(const grants::record& of, const request_scope& scope, std::int64_t generation);
/// Of a request that never became a record.
json refused_status(grants::state as, const std::string& why, grants::wall_time now,
                    const request_scope& scope, std::int64_t generation);

}  // namespace trunkline::k8s
