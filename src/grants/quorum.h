// Who may answer a request, and when it has been answered often enough. Pure functions; any thread.
#pragma once

#include <string>
#include <vector>

#include "grants/record.h"

namespace trunkline::grants {

/// The entries of the rule that somebody fits, by a group or by name; globs. One that names nobody is for
/// whomever the store vouches for. Empty: may not answer.
std::vector<std::string> entries_of(const config::access_approval& rule, const person& who);

/// Approved by enough different people, one of `anyOf` where there is one, and one for each of `allOf`. Who
/// asked does not count, whatever was recorded.
bool is_met(const config::access_approval& rule, const std::string& asked_by,
            const std::vector<approval>& approvals);

/// May approve what they themselves have asked for.
bool may_break_glass(const config::access_approval& rule, const person& who);

/// "1 approval of dba or leads"; for those who wait.
std::string what_is_missing(const record& of);

}  // namespace trunkline::grants
