#include "audit/json_text.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace trunkline::audit {

namespace {

unsigned at(std::string_view text, std::size_t index) {
  return index < text.size() ? static_cast<unsigned char>(text[index]) : 0;
}

bool continues(unsigned byte) {
  return (byte & 0xc0) == 0x80;
}

bool plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

void append_escape(std::string& out, unsigned char byte) {
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += hex_digits[byte >> 4];
      out += hex_digits[byte & 15];
  }
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const unsigned first = at(text, 0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(at(text, 1)) ? 2 : 0;
  const unsigned second = at(text, 1);
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return continues(second) && !overlong && !surrogate && continues(at(text, 2)) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && second < 0x90;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return continues(second) && !overlong && !beyond && continues(at(text, 2)) && continues(at(text, 3)) ? 4
                                                                                                         : 0;
  }
  return 0;
}

std::string_view utf8_prefix(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && most - end < 3 && continues(at(text, end)))
    --end;
  // Not UTF-8 at all: cut where asked.
  return text.substr(0, continues(at(text, end)) ? most : end);
}

void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto end = static_cast<std::size_t>(
        std::ranges::find_if_not(text, [](char c) { return plain(static_cast<unsigned char>(c)); }) -
        text.begin());
    out.append(text.substr(0, end));
    text.remove_prefix(end);
    if (text.empty()) break;
    const auto byte = static_cast<unsigned char>(text.front());
    if (byte < 0x80) {
      append_escape(out, byte);
      text.remove_prefix(1);
      continue;
    }
    const std::size_t length = utf8_length(text);
    out.append(length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  out += '"';
}

}  // namespace trunkline::audit
