// What sqlcommenter leaves in a statement: comments of the form /*key='value',key='value'*/ with URL-encoded
// values (google.github.io/sqlcommenter/spec). Only `traceparent` is read (W3C Trace Context, 3.2). Pure
// functions; any thread.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::audit {

/// Of the last comment that has a sound one; empty: there is none.
std::string find_traceparent(std::string_view sql);

/// version-trace-parent-flags in lower-case hex, of a version that exists, with no id all zeros.
bool is_traceparent(std::string_view text);

}  // namespace trunkline::audit
