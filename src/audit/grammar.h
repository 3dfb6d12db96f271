// PostgreSQL's own grammar, as libpg_query carries it: fingerprints and normalised texts. Tens of
// microseconds for a statement. Any thread; libpg_query keeps memory of its own for each thread and frees it
// when the thread ends.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace trunkline::audit {

struct grammar_answer {
  std::string fingerprint;  ///< 16 hex digits; empty: refused
  std::string normalised;   ///< literals as $1, $2...; empty: refused
};

/// One statement, or several as one. Text behind a NUL is not seen.
grammar_answer ask_grammar(std::string_view statement);

/// The statements in `text` as the grammar parts them, at most `most`, the last with all the rest; empty
/// where it refuses the text.
std::vector<std::string_view> split_by_grammar(std::string_view text, std::size_t most);

}  // namespace trunkline::audit
