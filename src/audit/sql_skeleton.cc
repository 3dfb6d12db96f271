#include "audit/sql_skeleton.h"

#include <algorithm>
#include <array>

#include "audit/sql_scan.h"

namespace trunkline::audit {

namespace {

constexpr std::array<std::string_view, 14> known_by_skeleton{
    "select", "insert", "update", "delete", "merge",    "with",      "values",
    "table",  "begin",  "commit", "end",    "rollback", "savepoint", "release"};

bool may_use_skeleton(std::string_view first_word) {
  return std::ranges::any_of(known_by_skeleton,
                             [&](std::string_view each) { return equal_ignoring_case(first_word, each); });
}

/// Follows one text and cuts it.
class splitter {
 public:
  splitter(std::string_view sql, std::size_t most) : sql_(sql), most_(most) {}

  std::vector<sql_part> run() {
    sql_scanner scanner(sql_);
    sql_piece piece;
    while (scanner.next(piece))
      take(piece);
    end_part(sql_.size());
    return std::move(parts_);
  }

 private:
  void take(const sql_piece& piece);
  void end_part(std::size_t at);
  void height(sql_token kind, std::string_view raw);

  /// What stands between two parentheses.
  struct level {
    std::size_t base = 0;
    std::size_t height = 0;   ///< of the present one of its list
    std::size_t highest = 0;  ///< of those before
  };

  std::string_view sql_;
  std::size_t most_;
  std::vector<sql_part> parts_;
  std::size_t begin_ = 0;
  std::vector<level> levels_{1};
  std::size_t depth_ = 0;
  bool closed_ = true;
  std::string_view first_;  // the first word; empty: nothing but comments so far
};

void splitter::end_part(std::size_t at) {
  if (!first_.empty()) {
    std::string_view text = sql_.substr(begin_, at - begin_);
    const std::size_t front = text.find_first_not_of(" \t\r\n\f\v");
    text.remove_prefix(front == std::string_view::npos ? 0 : front);
    text = text.substr(0, text.find_last_not_of(" \t\r\n\f\v") + 1);
    parts_.push_back({text, closed_ && may_use_skeleton(first_), depth_});
  }
  begin_ = at + 1;
  levels_.assign(1, {});
  depth_ = 0;
  closed_ = true;
  first_ = {};
}

void splitter::take(const sql_piece& piece) {
  closed_ = closed_ && piece.closed;
  if (piece.kind == sql_token::comment) return;
  const std::string_view raw = sql_.substr(piece.begin, piece.end - piece.begin);
  if (piece.kind == sql_token::mark && raw == ";" && levels_.size() == 1 && parts_.size() + 1 < most_)
    return end_part(piece.begin);
  if (first_.empty()) first_ = raw;
  height(piece.kind, raw);
}

/// Each operator, each keyword (UNION, CASE, NOT, JOIN...) and each parenthesis may put one more node above
/// the rest of its list; a comma begins a sibling.
void splitter::height(sql_token kind, std::string_view raw) {
  level& now = levels_.back();
  if (raw == "(" || raw == "[") {
    levels_.push_back({now.height + 1, now.height + 1, now.height + 1});
  } else if (raw == ")" || raw == "]") {
    if (levels_.size() == 1) return;
    const std::size_t reached = std::max(now.highest, now.height);
    levels_.pop_back();
    levels_.back().height = reached;
  } else if (raw == ",") {
    now.highest = std::max(now.highest, now.height);
    now.height = now.base;
  } else if (kind == sql_token::mark || (kind == sql_token::word && raw.size() <= 9)) {
    ++now.height;
  }
  depth_ = std::max(depth_, levels_.back().height);
}

}  // namespace

std::vector<sql_part> split_statements(std::string_view sql, std::size_t most) {
  return splitter(sql, most).run();
}

std::string without_comments(std::string_view statement) {
  std::string out;
  sql_scanner scanner(statement);
  sql_piece piece;
  std::size_t copied = 0;
  while (scanner.next(piece)) {
    if (piece.kind != sql_token::comment) continue;
    out += statement.substr(copied, piece.begin - copied);
    copied = piece.end;
    // What stood on both sides of it stays apart.
    if (!out.empty() && out.back() != ' ') out += ' ';
  }
  out += statement.substr(copied);
  out.erase(out.find_last_not_of(" \t\r\n\f\v") + 1);
  return out;
}

void skeleton_of(std::string_view statement, std::string& out) {
  out.clear();
  sql_scanner scanner(statement);
  sql_piece piece;
  std::size_t end = 0;
  while (scanner.next(piece)) {
    if (piece.kind == sql_token::comment) continue;
    if (piece.begin != end && !out.empty()) out += ' ';
    end = piece.end;
    switch (piece.kind) {
      case sql_token::string:
        if (piece.prefix != 0) out += piece.prefix;
        out += '\'';
        break;
      case sql_token::dollar_string:
        out += '\'';
        break;
      case sql_token::number:
        out += '0';
        break;
      default:
        out += statement.substr(piece.begin, piece.end - piece.begin);
    }
  }
}

}  // namespace trunkline::audit
