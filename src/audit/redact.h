// Takes secrets out of SQL before it is written anywhere: passwords of roles, options of user mappings
// and foreign servers, connection strings, settings that are named after secrets, SCRAM and MD5 verifiers; in
// broken SQL too, in comments, DO blocks and strings. Where the text leaves a doubt, more goes than must: of
// a statement that speaks of a secret, all its literals; where quotes do not pair up, all that follows but
// known keywords. What cannot be seen is a secret that nothing around it names, or a name put together by the
// statement itself. Pure functions; any thread.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::audit {

inline constexpr std::string_view redacted_mark = "<redacted>";

/// The text with each secret as '<redacted>', which leaves sound SQL sound.
std::string redact_secrets(std::string_view sql);

/// A single value (a bind parameter) that gives itself away: a verifier, a connection string with a password,
/// a statement that sets one.
bool looks_secret(std::string_view value);

}  // namespace trunkline::audit
