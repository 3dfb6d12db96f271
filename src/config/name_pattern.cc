#include "config/name_pattern.h"

#include <algorithm>

namespace trunkline::config {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::optional<std::vector<std::string_view>> name_parts(std::string_view pattern, std::string_view text,
                                                        char fence) {
  std::vector<std::string_view> parts{text};
  std::size_t at = 0;               // in the text
  std::size_t in = 0;               // in the pattern
  std::size_t star = pattern.size();  // the last `*` that was met, and where its run begins and ends
  std::size_t begin = 0;
  std::size_t end = 0;
  while (at < text.size() || in < pattern.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      begin = end = at;
      parts.push_back(text.substr(begin, 0));
      continue;
    }
    if (in < pattern.size() && at < text.size() && pattern[in] == text[at]) {
      ++in;
      ++at;
      continue;
    }
    // The last run takes one more byte. An earlier one need not: what follows it was found as early as may be.
    if (star == pattern.size() || end >= text.size() || (fence != 0 && text[end] == fence))
      return std::nullopt;
    ++end;
    parts.back() = text.substr(begin, end - begin);
    in = star + 1;
    at = end;
  }
  return parts;
}

std::size_t parts_of(std::string_view pattern) {
  return static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '*'));
}

std::optional<std::size_t> highest_part(std::string_view text) {
  std::size_t highest = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '$') continue;
    ++at;
    if (at == text.size() || (text[at] != '$' && !is_digit(text[at]))) return std::nullopt;
    if (text[at] != '$') highest = std::max(highest, static_cast<std::size_t>(text[at] - '0'));
  }
  return highest;
}

std::string fill_parts(std::string_view text, const std::vector<std::string_view>& parts) {
  std::string made;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool special = text[at] == '$' && at + 1 < text.size();
    if (!special) {
      made += text[at];
      continue;
    }
    ++at;
    if (!is_digit(text[at])) {
      made += text[at];
      continue;
    }
    const auto which = static_cast<std::size_t>(text[at] - '0');
    if (which < parts.size()) made += parts[which];
  }
  return made;
}

}  // namespace trunkline::config
