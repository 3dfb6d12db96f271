// A DSN taken apart into libpq's keywords and values, and no further. Pure; any thread.
#pragma once

#include <expected>
#include <map>
#include <string>
#include <string_view>

#include "base/redacted.h"

namespace trunkline::client {

/// Any of the values may be the password.
using conninfo_words = std::map<std::string, secret_text>;

/// "key = 'value' ..." or "postgresql://user:password@host:port,host:port/database?key=value". The error
/// names a place or a key, never a value.
std::expected<conninfo_words, std::string> split_conninfo(std::string_view dsn);

}  // namespace trunkline::client
