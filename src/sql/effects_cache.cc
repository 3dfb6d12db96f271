#include "sql/effects_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace trunkline::sql {

effects_cache::effects_cache(const std::array<std::byte, 16>& secret, std::size_t entries)
    : normaliser_(secret), unknown_(unknown_effects()) {
  const std::size_t size = std::bit_ceil(std::max(entries, ways));
  tags_.resize(size);
  entries_.resize(size);
  hands_.resize(size / ways);
}

std::size_t effects_cache::group_of(const text_key& key) const {
  return static_cast<std::size_t>(key.low) & (hands_.size() - 1);
}

effects_cache::entry* effects_cache::find(const text_key& key) {
  const std::size_t first = group_of(key) * ways;
  for (std::size_t i = first; i < first + ways; ++i) {
    if (tags_[i] != key.high || !entries_[i].used || entries_[i].key != key) continue;
    entries_[i].recent = true;
    return &entries_[i];
  }
  return nullptr;
}

effects_cache::entry& effects_cache::place(const text_key& key) {
  const std::size_t group = group_of(key);
  std::uint8_t& hand = hands_[group];
  // Who was asked for gets another round; so it ends within two.
  while (std::exchange(entries_[group * ways + hand].recent, false))
    hand = static_cast<std::uint8_t>((hand + 1) % ways);
  const std::size_t chosen = group * ways + hand;
  hand = static_cast<std::uint8_t>((hand + 1) % ways);
  tags_[chosen] = key.high;
  entries_[chosen].key = key;
  entries_[chosen].used = true;
  return entries_[chosen];
}

/// Its entry may have been given to another text meanwhile.
effects_cache::entry* effects_cache::find_repeated(std::string_view text, lexical_rules rules) {
  const repeated_texts::found* known = repeated_.find(text, rules);
  if (known == nullptr) known = alike_.find(text, rules);
  if (known == nullptr) return nullptr;
  entry& kept = entries_[known->entry];
  if (!kept.used || kept.key != known->key) return nullptr;
  kept.recent = true;
  return &kept;
}

void effects_cache::keep(std::string_view text, lexical_rules rules, const entry& found, bool by_shape) {
  const repeated_texts::found what{.key = found.key,
                                   .entry = static_cast<std::size_t>(&found - entries_.data())};
  repeated_.keep(text, rules, what);
  if (by_shape) alike_.keep(text, rules, what);
}

const effects& effects_cache::look(std::string_view text, lexical_rules rules) {
  if (const entry* same = find_repeated(text, rules); same != nullptr) {
    ++hits_;
    return same->facts;
  }
  normal_form form;
  if (text.size() <= limits::sql_text_bytes) form = normaliser_.shape_of(text, rules);
  if (text.size() > limits::sql_text_bytes || form.uncertain) {
    ++refused_;
    return unknown_;
  }
  entry* found = form.content_matters ? nullptr : find(form.key);
  text_key whole;
  if (found == nullptr) {
    whole = normaliser_.key_of(text);
    found = find(whole);
  }
  if (found != nullptr) {
    ++hits_;
    keep(text, rules, *found, found->key == form.key);
    return found->facts;
  }
  ++misses_;
  effects made = find_effects(text, rules);
  entry& kept = place(made.depends_on_text || form.content_matters ? whole : form.key);
  kept.facts = std::move(made);
  return kept.facts;
}

}  // namespace trunkline::sql
