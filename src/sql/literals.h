// Constants in a parse tree, and what PostgreSQL takes some of them for. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sql/parse_tree.h"

namespace trunkline::sql {

/// The value of the constant that is the content of `node`, a cast to text aside; nothing: it is none.
std::optional<std::string> constant_at(const parse_tree& tree, std::size_t node);

/// In lower case, as names of settings are compared.
std::string folded_name(std::string_view name);
/// Surely on, as a setting's value.
bool is_true(std::string_view value);
/// Surely an encoding in which a byte below 0x80 is never a part of another character.
bool is_plain_encoding(std::string_view name);

}  // namespace trunkline::sql
