// Globs of the configuration: `*` is any run of characters (also none, also dots), `?` exactly one byte;
// there is no escape. Pure, allocation-free, linear in pattern x text at worst; any thread.
#pragma once

#include <string_view>

namespace trunkline::config {

bool glob_match(std::string_view pattern, std::string_view text);
/// ASCII letters of either case are equal: for server names (RFC 4343). Patterns are kept in lower case.
bool glob_match_ignoring_case(std::string_view pattern, std::string_view text);
/// Whether everything that `narrow` matches is surely matched by `wide` (never true by mistake).
bool glob_covers(std::string_view wide, std::string_view narrow);

}  // namespace trunkline::config
