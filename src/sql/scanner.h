// The tokens of a text as PostgreSQL's scanner cuts them (documentation, 4.1 "Lexical Structure"; the cases
// that it leaves open are PostgreSQL 15's scan.l), with white space and comments left out. Reads any bytes,
// allocates nothing. One owner, any thread; the text outlives it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/lexical_rules.h"

namespace trunkline::sql {

enum class token_kind : std::uint8_t {
  word,       ///< identifier or keyword; also what is neither a number nor anything else
  quoted,     ///< "..." or U&"..."
  string,     ///< '...' with or without a prefix, continued over lines too, and $tag$...$tag$
  integer,    ///< fits into 32 bits
  number,     ///< any other
  parameter,  ///< $1
  mark,       ///< one character of anything else
};

struct token {
  token_kind kind = token_kind::mark;
  char prefix = 0;     ///< of a string: e, u, n, b or x; 0: none
  bool blank = false;  ///< white space or a comment stands before it
  /// Of a string: its content may decide whether the grammar takes it, as in E'\000'.
  bool content_matters = false;
  std::size_t begin = 0;
  std::size_t end = 0;
};

class scanner {
 public:
  scanner(std::string_view text, lexical_rules rules);

  /// The next token. False: the text is at its end.
  bool next(token& out);

  /// The server may cut the text otherwise: under `rules` a backslash in '...' (as far as was read) or a byte
  /// above 0x7f means something else, or there is a byte 0; or the text ends in a comment.
  bool doubtful() const { return doubtful_; }

 private:
  unsigned char at(std::size_t index) const {
    return index < text_.size() ? static_cast<unsigned char>(text_[index]) : 0;
  }
  void skip_blanks();
  void skip_more_blanks();
  void skip_block_comment();
  void word(token& out);
  void number(token& out);
  void dollar(token& out);
  void quoted(token& out, std::size_t quote);
  void string(token& out, std::size_t quote);
  std::size_t string_end(token& out, std::size_t from);
  std::size_t continuation(std::size_t from) const;

  std::string_view text_;
  lexical_rules rules_;
  std::size_t at_ = 0;
  bool doubtful_ = false;
};

}  // namespace trunkline::sql
