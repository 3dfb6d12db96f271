#include "sql/text_survey.h"

#include <algorithm>
#include <array>
#include <vector>

#include "sql/scanner.h"

namespace trunkline::sql {

namespace {

/// What stands between two parentheses.
struct level {
  std::size_t base = 0;
  std::size_t height = 0;   ///< of the present one of its list
  std::size_t highest = 0;  ///< of those before
};

bool equal_ignoring_case(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {},
                            [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
}

/// These bind less than a comma: each puts a node above both lists beside it.
bool joins_lists(std::string_view word) {
  constexpr std::array<std::string_view, 3> words{"union", "except", "intersect"};
  return std::ranges::any_of(words, [&](std::string_view each) { return equal_ignoring_case(word, each); });
}

/// Each operator, each word (CASE, NOT, JOIN...) and each parenthesis may put one more node above the rest of
/// its list; a comma begins a sibling, a semicolon outside of parentheses a tree of its own.
class height_gauge {
 public:
  void take(const token& each, std::string_view raw);
  std::size_t depth() const { return depth_; }

 private:
  std::vector<level> levels_{1};
  std::size_t depth_ = 0;
};

void height_gauge::take(const token& each, std::string_view raw) {
  level& now = levels_.back();
  const char mark = each.kind == token_kind::mark ? raw[0] : ' ';
  if (mark == '(' || mark == '[') {
    levels_.push_back({now.height + 1, now.height + 1, now.height + 1});
  } else if (mark == ')' || mark == ']') {
    if (levels_.size() == 1) return;
    const std::size_t reached = std::max(now.highest, now.height);
    levels_.pop_back();
    levels_.back().height = reached;
  } else if (mark == ',') {
    now.highest = std::max(now.highest, now.height);
    now.height = now.base;
  } else if (mark == ';' && levels_.size() == 1) {
    now = {};
  } else if (each.kind == token_kind::mark || each.kind == token_kind::word) {
    ++now.height;
    if (each.kind == token_kind::word && joins_lists(raw)) ++now.base;
  }
  depth_ = std::max(depth_, levels_.back().height);
}

}  // namespace

text_survey survey(std::string_view text, lexical_rules rules) {
  scanner tokens(text, rules);
  height_gauge gauge;
  token each;
  while (tokens.next(each))
    gauge.take(each, text.substr(each.begin, each.end - each.begin));
  return {tokens.doubtful(), gauge.depth()};
}

}  // namespace trunkline::sql
