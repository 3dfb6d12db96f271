#include "sql/scanner.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace trunkline::sql {

namespace {

enum : std::uint8_t { space = 1, digit = 2, letter = 4, dollar_sign = 8, comment_sign = 16 };

constexpr std::array<std::uint8_t, 256> classes = [] {
  std::array<std::uint8_t, 256> made{};
  for (const char c : {' ', '\t', '\n', '\r', '\f'})
    made[static_cast<unsigned char>(c)] = space;
  for (std::size_t c = '0'; c <= '9'; ++c)
    made[c] = digit;
  for (std::size_t c = 'a'; c <= 'z'; ++c)
    made[c] = made[c - 'a' + 'A'] = letter;
  for (std::size_t c = 0x80; c < made.size(); ++c)
    made[c] = letter;
  made['_'] = letter;
  made['$'] = dollar_sign;
  made['-'] = made['/'] = comment_sign;
  return made;
}();

bool is(unsigned char c, unsigned kinds) {
  return (classes[c] & kinds) != 0;
}
constexpr unsigned in_word = digit | letter | dollar_sign;

char lower(unsigned char c) {
  return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/// PostgreSQL's lexer tells integers of 32 bits from other numbers, and so does its grammar.
bool fits_integer(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  constexpr std::string_view most = "2147483647";
  return digits.size() < most.size() || (digits.size() == most.size() && digits <= most);
}

}  // namespace

scanner::scanner(std::string_view text, lexical_rules rules) : text_(text), rules_(rules) {
  doubtful_ = text.find('\0') != std::string_view::npos ||
              (!rules.ascii_superset && std::ranges::any_of(text, [](char c) { return (c & 0x80) != 0; }));
}

/// Nested ones count. PostgreSQL refuses a text that ends inside.
void scanner::skip_block_comment() {
  std::size_t depth = 1;
  std::size_t i = at_ + 2;
  while (i < text_.size() && depth > 0) {
    if (text_[i] == '/' && at(i + 1) == '*') {
      ++depth;
      i += 2;
    } else if (text_[i] == '*' && at(i + 1) == '/') {
      --depth;
      i += 2;
    } else {
      ++i;
    }
  }
  at_ = i;
  doubtful_ = doubtful_ || depth > 0;
}

/// Between most tokens there is one space or none.
inline void scanner::skip_blanks() {
  if (!is(at(at_), space | comment_sign)) return;
  if (at(at_) != ' ' || is(at(at_ + 1), space | comment_sign)) return skip_more_blanks();
  ++at_;
}

void scanner::skip_more_blanks() {
  for (;;) {
    while (is(at(at_), space))
      ++at_;
    if (!is(at(at_), comment_sign)) return;
    if (at(at_) == '-' && at(at_ + 1) == '-') {
      at_ = std::min(text_.find_first_of("\r\n", at_), text_.size());
    } else if (at(at_) == '/' && at(at_ + 1) == '*') {
      skip_block_comment();
    } else {
      return;
    }
  }
}

void scanner::quoted(token& out, std::size_t quote) {
  out.kind = token_kind::quoted;
  std::size_t i = quote + 1;
  for (; i < text_.size(); ++i) {
    if (text_[i] != '"') continue;
    if (at(i + 1) != '"') break;
    ++i;
  }
  out.end = std::min(i + 1, text_.size());
}

/// A string goes on behind white space with a line's end in it; answers where its next quote stands, or npos.
std::size_t scanner::continuation(std::size_t from) const {
  bool new_line = false;
  std::size_t i = from;
  for (; i < text_.size(); ++i) {
    if (text_[i] == '-' && at(i + 1) == '-') {
      i = text_.find_first_of("\r\n", i);
      if (i == std::string_view::npos) return i;
    }
    if (!is(at(i), space)) break;
    new_line = new_line || text_[i] == '\n' || text_[i] == '\r';
  }
  return new_line && at(i) == '\'' ? i : std::string_view::npos;
}

/// Where the quote stands that ends what began before `from`; the text's size where there is none.
std::size_t scanner::string_end(token& out, std::size_t from) {
  if (out.prefix != 'e') {
    const void* found = std::memchr(text_.data() + from, '\'', text_.size() - from);
    const std::size_t end = found == nullptr
                                ? text_.size()
                                : static_cast<std::size_t>(static_cast<const char*>(found) - text_.data());
    const bool plain = out.prefix == 0 || out.prefix == 'n';
    if (plain && !rules_.standard_conforming_strings &&
        text_.substr(from, end - from).find('\\') != std::string_view::npos)
      doubtful_ = true;
    return end;
  }
  for (std::size_t i = from; i < text_.size(); ++i) {
    if (text_[i] == '\'') return i;
    if (text_[i] != '\\') continue;
    // Numbers of characters may be refused; \n and \' never are.
    const char kind = lower(at(++i));
    out.content_matters = out.content_matters || (kind >= '0' && kind <= '7') || kind == 'x' || kind == 'u';
  }
  return text_.size();
}

void scanner::string(token& out, std::size_t quote) {
  out.kind = token_kind::string;
  const bool doubles = out.prefix != 'b' && out.prefix != 'x';
  out.content_matters = out.prefix == 'u';
  std::size_t from = quote + 1;
  for (;;) {
    const std::size_t end = string_end(out, from);
    if (end >= text_.size()) {
      out.end = text_.size();
      out.content_matters = true;
      return;
    }
    if (doubles && at(end + 1) == '\'') {
      from = end + 2;
      continue;
    }
    const std::size_t further = continuation(end + 1);
    if (further == std::string_view::npos) {
      out.end = end + 1;
      return;
    }
    from = further + 1;
  }
}

void scanner::dollar(token& out) {
  std::size_t i = out.begin + 1;
  if (is(at(i), digit)) {
    while (is(at(i), digit))
      ++i;
    out.kind = token_kind::parameter;
    out.end = i;
    return;
  }
  if (is(at(i), letter)) {
    while (is(at(i), letter | digit))
      ++i;
  }
  out.end = out.begin + 1;
  if (at(i) != '$') return;
  const std::string_view tag = text_.substr(out.begin, i + 1 - out.begin);
  const std::size_t close = text_.find(tag, i + 1);
  out.kind = token_kind::string;
  out.content_matters = close == std::string_view::npos;
  out.end = out.content_matters ? text_.size() : close + tag.size();
}

/// Digits that run into letters are refused by PostgreSQL, or a number of a version to come: a word.
void scanner::number(token& out) {
  std::size_t i = out.begin;
  const auto digits = [&] {
    while (is(at(i), digit))
      ++i;
  };
  digits();
  bool whole = true;
  if (at(i) == '.' && at(i + 1) != '.') {
    whole = false;
    ++i;
    digits();
  }
  if (lower(at(i)) == 'e') {
    const std::size_t sign = at(i + 1) == '+' || at(i + 1) == '-' ? 1 : 0;
    if (is(at(i + 1 + sign), digit)) {
      whole = false;
      i += 1 + sign;
      digits();
    }
  }
  if (is(at(i), letter)) {
    while (is(at(i), in_word))
      ++i;
    out.kind = token_kind::word;
  } else if (whole && fits_integer(text_.substr(out.begin, i - out.begin))) {
    out.kind = token_kind::integer;
  } else {
    out.kind = token_kind::number;
  }
  out.end = i;
}

void scanner::word(token& out) {
  std::size_t i = out.begin + 1;
  const unsigned char second = at(i);
  if (second == '\'' || second == '&') {
    const char first = lower(at(out.begin));
    const bool unicode = first == 'u' && second == '&';
    const std::size_t quote = i + (unicode ? 1 : 0);
    if (unicode && at(quote) == '"') {
      out.prefix = 'u';
      out.content_matters = true;
      return quoted(out, quote);
    }
    if (at(quote) == '\'' && (unicode || first == 'e' || first == 'n' || first == 'b' || first == 'x')) {
      out.prefix = first;
      return string(out, quote);
    }
  }
  const char* const text = text_.data();
  const std::size_t size = text_.size();
  while (i < size && is(static_cast<unsigned char>(text[i]), in_word))
    ++i;
  out.kind = token_kind::word;
  out.end = i;
}

bool scanner::next(token& out) {
  const std::size_t before = at_;
  skip_blanks();
  if (at_ >= text_.size()) return false;
  out = token{};
  out.blank = before != 0 && at_ != before;
  out.begin = at_;
  const unsigned char c = at(at_);
  if (is(c, letter)) {
    word(out);
  } else if (is(c, digit) || (c == '.' && is(at(at_ + 1), digit))) {
    number(out);
  } else if (c == '\'') {
    string(out, at_);
  } else if (c == '"') {
    quoted(out, at_);
  } else if (c == '$') {
    dollar(out);
  } else {
    out.end = at_ + 1;
  }
  at_ = out.end;
  return true;
}

}  // namespace trunkline::sql
