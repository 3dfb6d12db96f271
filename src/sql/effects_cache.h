// Effects of texts that were seen before, without a parse: by the text's normal form where its constants
// decide nothing, else by the whole text. Bounded in entries: in groups of eight, a new one takes the place
// of one that was not asked for since the hand of the group's clock came by (CLOCK). A hit allocates nothing.
//
// A text that cannot be judged (too long, or its tokens are in doubt) is no entry: it is `unknown_effects()`.
//
// Owner: one worker; not thread-safe. A miss costs what `find_effects` costs: some ten microseconds, up to
// some milliseconds for a text of `limits::sql_text_bytes`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/limits.h"
#include "sql/effects.h"
#include "sql/normal_form.h"
#include "sql/repeated_shapes.h"
#include "sql/repeated_texts.h"

namespace trunkline::sql {

class effects_cache {
 public:
  /// `secret`: random bytes that strangers cannot guess. `entries`: at least eight, a power of two.
  explicit effects_cache(const std::array<std::byte, 16>& secret,
                         std::size_t entries = limits::sql_cache_entries);

  /// The same as `find_effects`. The answer is valid until the next call. Any bytes are welcome.
  const effects& look(std::string_view text, lexical_rules rules = {});

  std::uint64_t hits() const { return hits_; }
  /// Texts that were shown to the grammar.
  std::uint64_t misses() const { return misses_; }
  /// Texts that could not be judged.
  std::uint64_t refused() const { return refused_; }

 private:
  static constexpr std::size_t ways = 8;

  struct entry {
    text_key key;
    bool used = false;
    bool recent = false;
    effects facts;
  };

  entry* find_repeated(std::string_view text, lexical_rules rules);
  void keep(std::string_view text, lexical_rules rules, const entry& found, bool by_shape);
  std::size_t group_of(const text_key& key) const;
  entry* find(const text_key& key);
  entry& place(const text_key& key);

  normaliser normaliser_;
  repeated_texts repeated_;
  repeated_shapes alike_;
  effects unknown_;
  std::vector<std::uint64_t> tags_;  // of each entry half of its key: a group's are one cache line
  std::vector<entry> entries_;
  std::vector<std::uint8_t> hands_;  // of each group
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace trunkline::sql
