// The parameters of a Bind message as JSON (PostgreSQL: "Message Formats", Bind; the binary forms are those
// of the types' send functions). Pure functions; any thread; no bytes make them fail.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "config/settings.h"

namespace trunkline::audit {

/// Appends a JSON array for the parameters of a Bind message body (PostgreSQL, "Message Formats"); `types`
/// are OIDs as Parse or ParameterDescription said, may be short or empty. Never throws on any bytes. `cut`:
/// the body is only the beginning of a longer one.
///
/// full: each value as PostgreSQL would print it, a JSON string, whether it came as text or binary; null; of
/// a value longer than `limits::audit_parameter_bytes` {"text":its beginning,"bytes":its length}; of binary
/// values of other types {"hex":…,"bytes":…}; a value that looks like a credential as "<redacted>". redacted:
/// {"type":…,"bytes":…}. Behind `limits::audit_parameter_list_bytes`, and where the body ends too early, the
/// last element is {"more":N}: so many parameters are not shown. off: an empty array.
void append_parameters(std::string& out, byte_span bind_body, bool cut, std::span<const std::uint32_t> types,
                       config::audit_parameters how);

}  // namespace trunkline::audit
