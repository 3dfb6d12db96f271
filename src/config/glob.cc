#include "config/glob.h"

#include <cstddef>

namespace trunkline::config {

namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The usual walk with one point to return to: after a mismatch the last `*` takes one byte more.
template <class Fits>
bool walk(std::string_view pattern, std::string_view text, Fits fits) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken_up_to = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken_up_to = t;
    } else if (p < pattern.size() && fits(pattern[p], text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++taken_up_to;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*')
    ++p;
  return p == pattern.size();
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  return walk(pattern, text, [](char p, char t) { return p == '?' || p == t; });
}

bool glob_match_ignoring_case(std::string_view pattern, std::string_view text) {
  return walk(pattern, text, [](char p, char t) { return p == '?' || lower(p) == lower(t); });
}

bool glob_covers(std::string_view wide, std::string_view narrow) {
  // The narrow pattern is read as a text whose `*` only a wide `*` may take: it stands for any run of bytes.
  return walk(wide, narrow, [](char w, char n) { return n != '*' && (w == '?' || w == n); });
}

}  // namespace trunkline::config
