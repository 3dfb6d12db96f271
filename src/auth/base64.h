// Base64 with padding (RFC 4648, section 4), as SCRAM and pg_authid write it, and the form for names without
// padding (section 5), as tokens have it. Pure functions; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace trunkline::auth {

std::string base64_encode(byte_span bytes);

/// Strict: the length is a multiple of 4, padding stands only at the end, unused bits are zero, no white
/// space. Anything else is nullopt.
std::optional<std::vector<std::byte>> base64_decode(std::string_view text);

/// As strict: no padding at all. `-` and `_` stand for `+` and `/`.
std::optional<std::string> base64url_decode(std::string_view text);

}  // namespace trunkline::auth
