#include "sql/repeated_texts.h"

#include <algorithm>
#include <cstring>

namespace trunkline::sql {

/// Whoever makes two texts with one mark makes them push each other out: the texts are compared.
std::uint64_t repeated_texts::mark_of(std::string_view text) {
  std::uint64_t first = 0;
  std::uint64_t middle = 0;
  std::uint64_t last = 0;
  if (text.size() >= 8) {
    std::memcpy(&first, text.data(), 8);
    std::memcpy(&middle, text.data() + (text.size() - 8) / 2, 8);
    std::memcpy(&last, text.data() + text.size() - 8, 8);
  } else {
    std::memcpy(&first, text.data(), text.size());
  }
  const std::uint64_t mixed = (first * 0x9e3779b97f4a7c15 ^ last) * 0xd6e8feb86659fd93 ^ middle ^ text.size();
  return mixed * 0x9e3779b97f4a7c15 | 1;
}

const repeated_texts::found* repeated_texts::find(std::string_view text, lexical_rules rules) const {
  if (text.empty()) return nullptr;
  const std::uint64_t mark = mark_of(text);
  const slot& here = slots_[slot_of(mark)];
  if (here.mark != mark || here.size != text.size() || here.size == 0 || here.rules != rules) return nullptr;
  return std::memcmp(here.text.data(), text.data(), text.size()) == 0 ? &here.what : nullptr;
}

void repeated_texts::keep(std::string_view text, lexical_rules rules, const found& what) {
  if (text.empty() || text.size() > longest) return;
  const std::uint64_t mark = mark_of(text);
  slot& here = slots_[slot_of(mark)];
  const bool again = here.mark == mark;
  here.mark = mark;
  here.size = again ? static_cast<std::uint16_t>(text.size()) : 0;
  if (!again) return;
  here.rules = rules;
  here.what = what;
  std::ranges::copy(text, here.text.begin());
}

}  // namespace trunkline::sql
