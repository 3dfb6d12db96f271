// Texts that come again byte for byte, as those of drivers with parameters do: what the cache of effects
// found for them the last time, for a comparison instead of a scan. A text is kept when it comes a second
// time in a row to its slot, so that texts with constants in them cost no copy. One slot, one text; 18 KiB.
//
// Owner: one worker; not thread-safe. Allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/lexical_rules.h"
#include "sql/normal_form.h"

namespace trunkline::sql {

class repeated_texts {
 public:
  static constexpr std::size_t longest = 256;  ///< bytes; longer ones are not kept

  /// Where something is kept about a text.
  struct found {
    text_key key;
    std::size_t entry = 0;
  };

  /// Null: not kept. Valid until the next `keep`.
  const found* find(std::string_view text, lexical_rules rules) const;
  void keep(std::string_view text, lexical_rules rules, const found& what);

 private:
  struct slot {
    std::uint64_t mark = 0;  ///< of the text that came last
    std::uint16_t size = 0;  ///< 0: that text is not kept
    lexical_rules rules;
    found what;
    std::array<char, longest> text;
  };
  static std::uint64_t mark_of(std::string_view text);
  static std::size_t slot_of(std::uint64_t mark) { return mark >> 58; }

  std::array<slot, 64> slots_{};
};

}  // namespace trunkline::sql
