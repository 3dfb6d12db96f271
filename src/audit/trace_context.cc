#include "audit/trace_context.h"

#include <algorithm>

namespace trunkline::audit {
namespace {

constexpr std::size_t whole_size = 55;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == text.npos;
}

}  // namespace

std::optional<trace_parent> parse_trace_parent(std::string_view text) {
  if (text.size() != whole_size || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const std::string_view version = text.substr(0, 2);
  const trace_parent found{text.substr(3, 32), text.substr(36, 16), false};
  const std::string_view flags = text.substr(53, 2);
  const bool digits = is_hex(version) && is_hex(found.trace_id) && is_hex(found.span_id) && is_hex(flags);
  if (!digits || version == "ff" || is_zero(found.trace_id) || is_zero(found.span_id)) return std::nullopt;
  const unsigned low = static_cast<unsigned>(flags[1] <= '9' ? flags[1] - '0' : flags[1] - 'a' + 10);
  return trace_parent{found.trace_id, found.span_id, (low & 1) != 0};
}

std::optional<trace_parent> find_trace_parent(std::string_view text) {
  for (std::size_t at = text.find('-'); at != text.npos; at = text.find('-', at + 1)) {
    if (at < 2) continue;
    if (const auto found = parse_trace_parent(text.substr(at - 2, whole_size))) return found;
  }
  return std::nullopt;
}

}  // namespace trunkline::audit
