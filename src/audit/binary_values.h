// Binary values of PostgreSQL's common types as the text that PostgreSQL prints (DateStyle ISO, times with
// time zone in UTC). The forms are those of each type's send function. Pure functions; any thread; no bytes
// make them fail.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "audit/pg_types.h"
#include "base/bytes.h"

namespace trunkline::audit {

/// None: the bytes are no such value, or its text would be longer than `most`.
std::optional<std::string> read_binary_value(const pg_type& type, byte_span value, std::size_t most);

// Of the parts of date and time types, in the file of their own.
std::optional<std::string> read_date_or_time(binary_form form, byte_span value);

}  // namespace trunkline::audit
