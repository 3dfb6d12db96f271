// The skeleton of a statement: its text with each literal as a placeholder, without comments, and any white
// space as one blank. Two statements with one skeleton differ in the values of literals only, so PostgreSQL's
// grammar makes the same tree of both but for its constants, and their fingerprints are the same. Pure
// functions; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::audit {

/// One statement of a text, without the semicolon behind it.
struct sql_part {
  std::string_view text;
  /// May be known by its skeleton: a statement that reads or writes rows or ends transactions. In others a
  /// literal may be more than a value.
  bool by_skeleton = false;
  std::size_t depth = 0;  ///< of nesting and chained operators: an upper bound for the height of its tree
};

/// Splits at semicolons outside of parentheses; parts of nothing but comments are left out. `most`: the last
/// part holds all the rest.
std::vector<sql_part> split_statements(std::string_view sql, std::size_t most);

/// Writes the skeleton of `statement` over `out`.
void skeleton_of(std::string_view statement, std::string& out);

/// A comment leaves a blank.
std::string without_comments(std::string_view statement);

}  // namespace trunkline::audit
