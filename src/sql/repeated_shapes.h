// Texts that come again with other constants, as those of drivers without parameters do: what the cache of
// effects found for their like the last time, for a few comparisons instead of a scan. A text is like a kept
// one when it differs from it in nothing but the digits of its integers and the insides of its strings, and
// these are such that PostgreSQL's scanner cuts both into the same tokens (scanner.h). A text is kept when
// two of its normal form come in a row among those that begin alike and were not known. 42 KiB.
//
// Owner: one worker; not thread-safe. Allocates nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/lexical_rules.h"
#include "sql/normal_form.h"
#include "sql/repeated_texts.h"

namespace trunkline::sql {

class repeated_shapes {
 public:
  static constexpr std::size_t longest = 256;  ///< bytes; longer ones are not kept
  static constexpr std::size_t constants = 8;  ///< of a text; further ones have to be the same

  using found = repeated_texts::found;

  /// Null: nothing of its like is kept. Valid until the next `keep`.
  const found* find(std::string_view text, lexical_rules rules) const;
  /// Precondition: `what.key` is the text's normal form, which is in no doubt, and its constants decide
  /// nothing.
  void keep(std::string_view text, lexical_rules rules, const found& what);

 private:
  struct span {
    std::uint16_t begin = 0;
    std::uint16_t end = 0;
  };
  struct shape {
    std::uint16_t size = 0;  ///< 0: none
    std::uint16_t spans = 0;
    std::array<span, constants> constant;
    lexical_rules rules;
    found what;
    std::array<char, longest> text;

    void make(std::string_view from, lexical_rules by, const found& with);
    bool is_of(std::string_view other) const;
  };
  static constexpr std::size_t ways = 4;
  /// Of texts that begin alike.
  struct group {
    text_key last;  ///< of the one that was not known
    std::size_t next = 0;
    std::array<shape, ways> shapes;
  };
  static std::size_t group_of(std::string_view text);

  std::array<group, 32> groups_{};
};

}  // namespace trunkline::sql
