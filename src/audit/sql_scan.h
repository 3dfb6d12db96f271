// The tokens of SQL as PostgreSQL's scanner sees them (documentation, 4.1 "Lexical Structure"), as far as
// redaction and skeletons need it: what is a literal, a word, a comment. With standard_conforming_strings on,
// as is the default. Reads any bytes, allocates nothing. One owner; views live as long as the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace trunkline::audit {

enum class sql_token : std::uint8_t {
  word,           ///< identifier or keyword
  quoted_word,    ///< "…" or U&"…"
  string,         ///< '…' with or without a prefix (E, U&, N, B, X), continued over lines too
  dollar_string,  ///< $tag$…$tag$
  number,
  parameter,  ///< $1
  mark,       ///< one character of anything else
  comment,    ///< -- … or /* … */
};

struct sql_piece {
  sql_token kind = sql_token::mark;
  char prefix = 0;        ///< of a string or quoted word, lower case: e, u, n, b, x; 0: none
  bool closed = true;     ///< false: the text ended inside of it
  std::size_t begin = 0;  ///< where the token, its prefix included, stands in the text
  std::size_t end = 0;
  std::size_t content = 0;  ///< what is between its quotes: begin ...
  std::size_t content_end = 0;
};

class sql_scanner {
 public:
  explicit sql_scanner(std::string_view text) : text_(text) {}
  /// The next token, white space left out. False: the text is at its end.
  bool next(sql_piece& piece);

 private:
  unsigned char at(std::size_t index) const {
    return index < text_.size() ? static_cast<unsigned char>(text_[index]) : 0;
  }
  bool starts(std::size_t index, std::string_view what) const {
    return text_.substr(index).starts_with(what);
  }
  void line_comment(sql_piece& piece);
  void block_comment(sql_piece& piece);
  void quoted(sql_piece& piece, std::size_t quote);
  void string(sql_piece& piece, std::size_t quote);
  std::size_t continuation(std::size_t from) const;
  bool dollar(sql_piece& piece);
  void number(sql_piece& piece);
  void word(sql_piece& piece);

  std::string_view text_;
  std::size_t at_ = 0;
};

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
/// ASCII letters only, as keywords need it.
bool equal_ignoring_case(std::string_view text, std::string_view lower_case);

/// What an E'…' string stands for: its content without the backslash escapes and doubled quotes.
std::string unescape(std::string_view content);

}  // namespace trunkline::audit
