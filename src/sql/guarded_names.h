// Functions whose call matters to an access policy: they run a text of SQL, or reach files of the server's
// (documentation, 9.15.3 "XML", 9.13 "Text Search", 9.28.9 "Generic File Access Functions", appendix F
// "adminpack", "dblink", "tablefunc", "xml2"). Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace trunkline::sql {

/// Bits of guard_fact; 0: it is none of them. Whatever its schema.
std::uint32_t facts_of_function(std::string_view name);

}  // namespace trunkline::sql
