// Patterns that take a name apart, and texts that are made of the parts: `spiffe://example.org/ns/*/sa/*` and
// `$1-$2`. A `*` is any run of bytes, also none, but never the fence; each is a part, counted from 1, and
// `$0` is the whole name. In a text `$$` stands for a dollar sign. Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::config {

/// The whole name, then what each `*` stands for, as short as may be from the left; nothing: it does not fit.
/// `fence` 0: there is none. Takes pattern x text steps at worst.
std::optional<std::vector<std::string_view>> name_parts(std::string_view pattern, std::string_view text,
                                                        char fence = 0);

/// How many parts a pattern has, `$0` not counted.
std::size_t parts_of(std::string_view pattern);

/// The text uses parts.
inline bool has_parts(std::string_view text) {
  return text.find('$') != std::string_view::npos;
}
/// The highest part that it uses; nothing: a `$` that neither a digit nor another `$` follows.
std::optional<std::size_t> highest_part(std::string_view text);
/// Parts that are not there are left out.
std::string fill_parts(std::string_view text, const std::vector<std::string_view>& parts);

}  // namespace trunkline::config
