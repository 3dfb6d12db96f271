#include "audit/sql_scan.h"

#include <algorithm>

namespace trunkline::audit {

namespace {

bool is_space(unsigned char c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0;
}
bool is_digit(unsigned char c) {
  return c >= '0' && c <= '9';
}
bool begins_word(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}
bool in_word(unsigned char c) {
  return begins_word(c) || is_digit(c) || c == '$';
}
int hex_value(char c) {
  if (is_digit(static_cast<unsigned char>(c))) return c - '0';
  const char small = lower(c);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/// The characters of one code point; what is none gives nothing.
void append_code_point(std::string& out, unsigned value) {
  if (value < 0x80) {
    out += static_cast<char>(value);
  } else if (value < 0x800) {
    out += static_cast<char>(0xc0 | value >> 6);
    out += static_cast<char>(0x80 | (value & 0x3f));
  } else {
    out += '?';
  }
}

}  // namespace

bool equal_ignoring_case(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, lower);
}

std::string unescape(std::string_view content) {
  std::string out;
  out.reserve(content.size());
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] != '\\' || i + 1 == content.size()) {
      out += content[i];
      continue;
    }
    const char kind = content[++i];
    const auto digits = [&](std::size_t most, unsigned base) {
      unsigned value = 0;
      std::size_t taken = 0;
      for (; taken < most && i + 1 < content.size(); ++taken) {
        const int digit = hex_value(content[i + 1]);
        if (digit < 0 || digit >= static_cast<int>(base)) break;
        value = value * base + static_cast<unsigned>(digit);
        ++i;
      }
      append_code_point(out, value);
    };
    if (kind == 'x') {
      digits(2, 16);
    } else if (kind == 'u') {
      digits(4, 16);
    } else if (kind == 'U') {
      digits(8, 16);
    } else if (kind >= '0' && kind <= '7') {
      --i;
      digits(3, 8);
    } else {
      out += kind;
    }
  }
  return out;
}

void sql_scanner::line_comment(sql_piece& piece) {
  const std::size_t end = text_.find_first_of("\r\n", at_);
  piece.kind = sql_token::comment;
  piece.content = at_ + 2;
  piece.content_end = piece.end = end == std::string_view::npos ? text_.size() : end;
}

/// Nested ones count.
void sql_scanner::block_comment(sql_piece& piece) {
  piece.kind = sql_token::comment;
  piece.content = at_ + 2;
  std::size_t depth = 1;
  std::size_t i = at_ + 2;
  while (i < text_.size() && depth > 0) {
    if (starts(i, "/*")) {
      ++depth;
      i += 2;
    } else if (starts(i, "*/")) {
      --depth;
      i += 2;
    } else {
      ++i;
    }
  }
  piece.closed = depth == 0;
  piece.end = i;
  piece.content_end = piece.closed ? i - 2 : i;
}

void sql_scanner::quoted(sql_piece& piece, std::size_t quote) {
  piece.kind = sql_token::quoted_word;
  piece.content = quote + 1;
  std::size_t i = quote + 1;
  for (; i < text_.size(); ++i) {
    if (text_[i] != '"') continue;
    if (at(i + 1) != '"') break;
    ++i;
  }
  piece.closed = i < text_.size();
  piece.content_end = std::min(i, text_.size());
  piece.end = piece.closed ? i + 1 : text_.size();
}

/// A string goes on behind white space with a line's end in it; answers where its next quote stands, or npos.
std::size_t sql_scanner::continuation(std::size_t from) const {
  bool new_line = false;
  std::size_t i = from;
  for (; i < text_.size(); ++i) {
    if (starts(i, "--")) {
      i = text_.find_first_of("\r\n", i);
      if (i == std::string_view::npos) return i;
    }
    if (!is_space(at(i)) || at(i) == 0) break;
    new_line = new_line || text_[i] == '\n' || text_[i] == '\r';
  }
  return new_line && at(i) == '\'' ? i : std::string_view::npos;
}

void sql_scanner::string(sql_piece& piece, std::size_t quote) {
  piece.kind = sql_token::string;
  piece.content = quote + 1;
  std::size_t i = quote + 1;
  for (; i < text_.size(); ++i) {
    if (text_[i] == '\\' && piece.prefix == 'e') {
      ++i;
      continue;
    }
    if (text_[i] != '\'') continue;
    if (at(i + 1) == '\'') {
      ++i;
      continue;
    }
    const std::size_t further = continuation(i + 1);
    if (further == std::string_view::npos) break;
    i = further;
  }
  piece.closed = i < text_.size();
  piece.content_end = std::min(i, text_.size());
  piece.end = piece.closed ? i + 1 : text_.size();
}

bool sql_scanner::dollar(sql_piece& piece) {
  std::size_t i = at_ + 1;
  if (is_digit(at(i))) {
    while (is_digit(at(i)))
      ++i;
    piece.kind = sql_token::parameter;
    piece.end = i;
    return true;
  }
  while (in_word(at(i)) && at(i) != '$')
    ++i;
  if (at(i) != '$') return false;
  const std::string_view tag = text_.substr(at_, i + 1 - at_);
  const std::size_t close = text_.find(tag, i + 1);
  piece.kind = sql_token::dollar_string;
  piece.content = i + 1;
  piece.closed = close != std::string_view::npos;
  piece.content_end = piece.closed ? close : text_.size();
  piece.end = piece.closed ? close + tag.size() : text_.size();
  return true;
}

/// What is no plain decimal number is told as a word, so that nobody takes it for a literal.
void sql_scanner::number(sql_piece& piece) {
  std::size_t i = at_;
  const auto digits = [&] {
    while (is_digit(at(i)))
      ++i;
  };
  digits();
  if (at(i) == '.' && at(i + 1) != '.') {
    ++i;
    digits();
  }
  if (lower(static_cast<char>(at(i))) == 'e') {
    const std::size_t sign = at(i + 1) == '+' || at(i + 1) == '-' ? 1 : 0;
    if (is_digit(at(i + 1 + sign))) {
      i += 1 + sign;
      digits();
    }
  }
  piece.kind = in_word(at(i)) ? sql_token::word : sql_token::number;
  while (in_word(at(i)))
    ++i;
  piece.end = i;
}

void sql_scanner::word(sql_piece& piece) {
  const char first = lower(text_[at_]);
  const bool unicode = first == 'u' && at(at_ + 1) == '&';
  const std::size_t next = at_ + (unicode ? 2 : 1);
  if (at(next) == '\'' && (unicode || first == 'e' || first == 'n' || first == 'b' || first == 'x')) {
    piece.prefix = first;
    return string(piece, next);
  }
  if (unicode && at(next) == '"') {
    piece.prefix = first;
    return quoted(piece, next);
  }
  std::size_t i = at_;
  while (in_word(at(i)))
    ++i;
  piece.kind = sql_token::word;
  piece.end = i;
}

bool sql_scanner::next(sql_piece& piece) {
  while (at_ < text_.size() && is_space(at(at_)))
    ++at_;
  if (at_ == text_.size()) return false;
  piece = sql_piece{};
  piece.begin = piece.content = at_;
  const unsigned char c = at(at_);
  if (starts(at_, "--")) {
    line_comment(piece);
  } else if (starts(at_, "/*")) {
    block_comment(piece);
  } else if (c == '\'') {
    string(piece, at_);
  } else if (c == '"') {
    quoted(piece, at_);
  } else if (is_digit(c) || (c == '.' && is_digit(at(at_ + 1)))) {
    number(piece);
  } else if (begins_word(c)) {
    word(piece);
  } else if (c != '$' || !dollar(piece)) {
    piece.end = at_ + 1;
  }
  if (piece.content_end == 0) piece.content_end = piece.end;
  at_ = piece.end;
  return true;
}

}  // namespace trunkline::audit
