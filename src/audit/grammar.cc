#include "audit/grammar.h"

#include <pg_query.h>

#include <algorithm>
#include <cstddef>

namespace trunkline::audit {

grammar_answer ask_grammar(std::string_view statement) {
  const std::string text(statement);
  grammar_answer answer;
  const PgQueryFingerprintResult print = pg_query_fingerprint(text.c_str());
  if (print.error == nullptr && print.fingerprint_str != nullptr) answer.fingerprint = print.fingerprint_str;
  pg_query_free_fingerprint_result(print);
  if (answer.fingerprint.empty()) return answer;
  const PgQueryNormalizeResult normal = pg_query_normalize(text.c_str());
  if (normal.error == nullptr && normal.normalized_query != nullptr)
    answer.normalised = normal.normalized_query;
  pg_query_free_normalize_result(normal);
  return answer;
}

std::vector<std::string_view> split_by_grammar(std::string_view text, std::size_t most) {
  const std::string copy(text);
  std::vector<std::string_view> parts;
  const PgQuerySplitResult split = pg_query_split_with_parser(copy.c_str());
  if (split.error == nullptr) {
    for (int i = 0; i < split.n_stmts; ++i) {
      const auto begin = static_cast<std::size_t>(std::max(split.stmts[i]->stmt_location, 0));
      const auto size = static_cast<std::size_t>(std::max(split.stmts[i]->stmt_len, 0));
      if (begin > text.size()) break;
      const bool last = i + 1 == split.n_stmts || parts.size() + 1 == most;
      parts.push_back(text.substr(begin, last && (size == 0 || i + 1 < split.n_stmts) ? text.npos : size));
      if (last) break;
    }
  }
  pg_query_free_split_result(split);
  return parts;
}

}  // namespace trunkline::audit
