// What must be known of a text before PostgreSQL's grammar sees it: whether our tokens are the server's, and
// how high its parse tree can get, which the grammar builds and writes on the stack. Pure functions; any
// thread.
#pragma once

#include <cstddef>
#include <string_view>

#include "sql/lexical_rules.h"

namespace trunkline::sql {

struct text_survey {
  bool doubtful = false;  ///< the server may cut the text into other tokens
  std::size_t depth = 0;  ///< of nesting and chained operators: an upper bound for the height of the tree
};

text_survey survey(std::string_view text, lexical_rules rules);

}  // namespace trunkline::sql
