// Text for a terminal: lines that are no wider than it. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace trunkline::doctor {

/// Breaks at blanks, or within a word that is wider than a line; each line begins with `indent` blanks, the
/// first one with `head` instead. With its final newline.
std::string wrapped(std::string_view text, std::size_t columns, std::string_view head, std::size_t indent);

/// Characters, where `text` is UTF-8.
std::size_t width_of(std::string_view text);

}  // namespace trunkline::doctor
