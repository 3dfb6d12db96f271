// Pieces of a line: numbers, seconds, hex, fields. Appended, by hand, without allocation of their own. Pure; any
// thread. Texts are json_text.h's.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace trunkline::audit {

void append_number(std::string& out, std::uint64_t number);
/// Seconds with six decimals at the most, "0" where there are none; below zero counts as zero.
void append_seconds(std::string& out, std::chrono::nanoseconds value);
void append_seconds(std::string& out, double value);
/// Two lower-case digits for each byte.
void append_hex(std::string& out, byte_span bytes);

/// `,"name":"text"`; nothing where the text is empty.
void append_field(std::string& out, std::string_view name, std::string_view text);
/// `,"name":number`.
void append_field(std::string& out, std::string_view name, std::uint64_t number);

}  // namespace trunkline::audit
