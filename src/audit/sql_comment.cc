#include "audit/sql_comment.h"

#include <algorithm>
#include <cstddef>

#include "audit/sql_scan.h"

namespace trunkline::audit {

namespace {

constexpr std::string_view key = "traceparent";

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

/// %2D is '-'; nothing else of a traceparent can be encoded, but everything may be.
std::string url_decoded(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char small = lower(c);
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? digit(text[i + 1]) : -1;
    const int low = high >= 0 ? digit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

/// The value behind traceparent= in a comment's content; empty: none.
std::string value_in(std::string_view comment) {
  const std::size_t found = comment.find(key);
  if (found == std::string_view::npos) return {};
  const bool first = found == 0 || comment[found - 1] == ',' || comment[found - 1] == ' ';
  std::string_view rest = comment.substr(found + key.size());
  if (!first || !rest.starts_with("='")) return {};
  rest.remove_prefix(2);
  const std::size_t end = rest.find('\'');
  if (end > 3 * 55) return {};  // or there is none
  std::string value = url_decoded(rest.substr(0, end));
  return is_traceparent(value) ? value : std::string();
}

}  // namespace

bool is_traceparent(std::string_view text) {
  constexpr std::size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  // A later version may carry more behind another dash; version 00 has exactly this length.
  if (text.size() > size && (version == "00" || text[size] != '-')) return false;
  if (text.size() > 2 * size) return false;
  const std::string_view trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16);
  return is_hex(version) && version != "ff" && is_hex(trace) && !is_zero(trace) && is_hex(parent) &&
         !is_zero(parent) && is_hex(text.substr(53, 2)) &&
         text.substr(size).find_first_not_of("0123456789abcdef-") == std::string_view::npos;
}

std::string find_traceparent(std::string_view sql) {
  if (sql.find(key) == std::string_view::npos) return {};
  sql_scanner scanner(sql);
  sql_piece piece;
  std::string found;
  while (scanner.next(piece)) {
    if (piece.kind != sql_token::comment || !piece.closed) continue;
    std::string value = value_in(sql.substr(piece.content, piece.content_end - piece.content));
    if (!value.empty()) found = std::move(value);
  }
  return found;
}

}  // namespace trunkline::audit
