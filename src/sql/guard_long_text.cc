// Long texts are lists of values most of the time: an INSERT of many rows, a SELECT with a long IN. Their
// tokens alone show that nothing else is in them; what is not that plain is in doubt.
#include <array>
#include <string>

#include "sql/builtin_functions.h"
#include "sql/guard_facts.h"
#include "sql/guarded_names.h"
#include "sql/scanner.h"

namespace trunkline::sql {

namespace {

/// They may stand before a parenthesis without being a call.
constexpr std::array<std::string_view, 31> keywords{
    "all",      "and",       "any",  "array",  "as",     "between", "by",   "case",
    "conflict", "distinct",  "else", "exists", "except", "filter",  "from", "having",
    "in",       "intersect", "join", "like",   "not",    "on",      "or",   "over",
    "row",      "select",    "some", "then",   "union",  "values",  "where"};
/// They begin or change what the statement does, or are no reading.
constexpr std::array<std::string_view, 12> forbidden{"copy",    "create",   "delete", "do",
                                                     "execute", "insert",   "into",   "merge",
                                                     "set",     "truncate", "update", "with"};

template <class List>
bool is_in(const List& list, std::string_view word) {
  for (const auto& each : list)
    if (each == word) return true;
  return false;
}

/// Folded as PostgreSQL folds ASCII.
std::string word_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return out;
}

class long_text {
 public:
  explicit long_text(std::string_view text) : text_(text), scanner_(text, {}) {}

  bool is_plain() {
    if (!next() || token_.kind != token_kind::word) return false;
    const std::string first = word_of(spelled());
    if (first == "insert") {
      if (!skip_target()) return false;
    } else if (first != "select" && first != "values") {
      return false;
    }
    previous_ = first;
    while (next())
      if (!takes_token()) return false;
    return !scanner_.doubtful();
  }

 private:
  bool next() { return scanner_.next(token_); }
  std::string_view spelled() const { return text_.substr(token_.begin, token_.end - token_.begin); }

  /// INTO, a name of up to three parts, its columns, and what follows them: VALUES or SELECT.
  bool skip_target() {
    if (!next() || word_of(spelled()) != "into") return false;
    int open = 0;
    while (next()) {
      const std::string_view part = spelled();
      if (part == "(") {
        if (++open > 1) return false;
      } else if (part == ")") {
        --open;
      } else if (token_.kind == token_kind::word && open == 0 &&
                 (word_of(part) == "values" || word_of(part) == "select")) {
        return true;
      } else if (token_.kind != token_kind::word && token_.kind != token_kind::quoted && part != "." &&
                 part != ",") {
        return false;
      }
    }
    return false;
  }

  bool takes_token() {
    if (over_) return false;  // a second statement
    const std::string_view part = spelled();
    if (part == ";" && token_.kind == token_kind::mark) {
      over_ = true;
      return true;
    }
    const bool opens = part == "(" && token_.kind == token_kind::mark;
    if (opens && !may_open()) return false;
    const bool qualified = after_dot_;
    after_dot_ = part == "." && token_.kind == token_kind::mark;
    previous_.clear();
    name_before_ = false;
    if (token_.kind == token_kind::quoted) {
      name_before_ = true;
      // A name in quotes is as it is written, but for one with escapes (U&"...").
      if (part.front() != '"' || facts_of_function(part.substr(1, part.size() - 2)) != 0) return false;
    } else if (token_.kind == token_kind::word) {
      name_before_ = true;
      qualified_ = qualified;
      previous_ = word_of(part);
      if (is_in(forbidden, previous_) || facts_of_function(previous_) != 0) return false;
    }
    return true;
  }

  /// What stands before the parenthesis is no call, or one of a function of PostgreSQL's that reads.
  bool may_open() const {
    if (!name_before_) return true;
    if (previous_.empty() || qualified_) return false;
    return is_in(keywords, previous_) || find_builtin(previous_) == builtin::stable_function;
  }

  std::string_view text_;
  scanner scanner_;
  token token_;
  std::string previous_;
  bool name_before_ = false;
  bool after_dot_ = false;
  bool qualified_ = false;
  bool over_ = false;
};

}  // namespace

std::uint32_t guard_facts_of_long_text(std::string_view text) {
  return long_text(text).is_plain() ? 0 : bit(guard_fact::doubt);
}

}  // namespace trunkline::sql
