// JSON strings (RFC 8259) from any bytes. What is not UTF-8 becomes U+FFFD, a character for each byte. Any
// thread.
#pragma once

#include <string>
#include <string_view>

namespace trunkline::audit {

inline constexpr std::string_view hex_digits = "0123456789abcdef";

/// Appends `text` with its quotes.
void append_json_text(std::string& out, std::string_view text);

/// How many bytes the UTF-8 character at the start of `text` has (RFC 3629); 0: it is none.
std::size_t utf8_length(std::string_view text);

/// The first `most` bytes of `text`, fewer where that would cut a character.
std::string_view utf8_prefix(std::string_view text, std::size_t most);

}  // namespace trunkline::audit
