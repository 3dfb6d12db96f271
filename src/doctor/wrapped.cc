#include "doctor/wrapped.h"

#include <algorithm>

namespace trunkline::doctor {
namespace {

bool begins_character(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
}

/// Bytes of the first `count` characters.
std::size_t bytes_of(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size() && (count > 0 || !begins_character(text[at]))) {
    if (begins_character(text[at])) --count;
    ++at;
  }
  return at;
}

}  // namespace

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, begins_character));
}

std::string wrapped(std::string_view text, std::size_t columns, std::string_view head, std::size_t indent) {
  std::string made(head);
  std::size_t at = width_of(head);
  const std::size_t room = columns > indent + 8 ? columns - indent : 8;
  bool at_start = true;
  const auto break_line = [&] {
    made += '\n';
    made.append(indent, ' ');
    at = indent;
    at_start = true;
  };
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    if (!at_start && at + 1 + width_of(word) > columns) break_line();
    if (!at_start) {
      made += ' ';
      ++at;
    }
    while (width_of(word) > (columns > at ? columns - at : room)) {
      const std::size_t part = bytes_of(word, columns > at ? columns - at : room);
      made += word.substr(0, part);
      word.remove_prefix(part);
      break_line();
    }
    made += word;
    at += width_of(word);
    at_start = false;
  }
  made += '\n';
  return made;
}

}  // namespace trunkline::doctor
