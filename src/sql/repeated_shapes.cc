#include "sql/repeated_shapes.h"

#include <algorithm>
#include <cstring>

#include "sql/scanner.h"

namespace trunkline::sql {

namespace {

constexpr std::size_t beginning = 16;  // bytes

/// Behind an integer that fits into 32 bits however its digits are; null: there is none.
const char* behind_integer(const char* at, const char* end) {
  constexpr std::ptrdiff_t most = 9;
  const char* const begin = at;
  while (at != end && *at >= '0' && *at <= '9')
    ++at;
  return at != begin && at - begin <= most ? at : nullptr;
}

/// Behind '...' with nothing inside that any setting of a session reads otherwise; null: there is none.
const char* behind_string(const char* at, const char* end) {
  if (at == end || *at != '\'') return nullptr;
  while (++at != end) {
    if (*at == '\'') return at + 1;
    if (*at <= 0 || *at == '\\') return nullptr;
  }
  return nullptr;
}

const char* behind_constant(char first, const char* at, const char* end) {
  return first == '\'' ? behind_string(at, end) : behind_integer(at, end);
}

}  // namespace

std::size_t repeated_shapes::group_of(std::string_view text) {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  std::memcpy(&first, text.data(), 8);
  std::memcpy(&second, text.data() + 8, 8);
  return (first * 0x9e3779b97f4a7c15 ^ second) * 0xd6e8feb86659fd93 >> 59;
}

void repeated_shapes::shape::make(std::string_view from, lexical_rules by, const found& with) {
  size = static_cast<std::uint16_t>(from.size());
  spans = 0;
  rules = by;
  what = with;
  std::ranges::copy(from, text.begin());
  scanner tokens(from, by);
  token each;
  while (spans < constants && tokens.next(each)) {
    if (each.begin < beginning || (each.kind != token_kind::integer && each.kind != token_kind::string))
      continue;
    const char* const token_end = from.data() + each.end;
    if (behind_constant(from[each.begin], from.data() + each.begin, token_end) != token_end) continue;
    constant[spans++] = {.begin = static_cast<std::uint16_t>(each.begin),
                         .end = static_cast<std::uint16_t>(each.end)};
  }
}

/// What stands between the constants is the same, so each of them begins where the scanner begins it, and
/// what follows it ends it there.
bool repeated_shapes::shape::is_of(std::string_view other) const {
  const char* at = other.data();
  const char* const end = at + other.size();
  std::size_t from = 0;
  for (std::size_t i = 0; i < spans; ++i) {
    const std::size_t same = constant[i].begin - from;
    if (static_cast<std::size_t>(end - at) < same || std::memcmp(at, text.data() + from, same) != 0)
      return false;
    at = behind_constant(text[constant[i].begin], at + same, end);
    if (at == nullptr) return false;
    from = constant[i].end;
  }
  const std::size_t rest = size - from;
  return static_cast<std::size_t>(end - at) == rest && std::memcmp(at, text.data() + from, rest) == 0;
}

const repeated_shapes::found* repeated_shapes::find(std::string_view text, lexical_rules rules) const {
  if (text.size() < beginning) return nullptr;
  for (const shape& each : groups_[group_of(text)].shapes) {
    if (each.size != 0 && each.rules == rules && each.is_of(text)) return &each.what;
  }
  return nullptr;
}

void repeated_shapes::keep(std::string_view text, lexical_rules rules, const found& what) {
  if (text.size() < beginning || text.size() > longest) return;
  group& here = groups_[group_of(text)];
  if (here.last != what.key) {
    here.last = what.key;
    return;
  }
  here.shapes[here.next].make(text, rules, what);
  here.next = (here.next + 1) % ways;
}

}  // namespace trunkline::sql
