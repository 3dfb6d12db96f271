// A text of SQL as a number of 128 bits in which its constants do not count: two texts that differ only in
// the values of numbers and strings, in comments, in how much white space stands between tokens or in the
// case of what is not quoted have the same number. Everything else counts, as does whether a number fits into
// 32 bits and which prefix a string has.
//
// The hash is SipHash-1-3 with 128 bits (Aumasson, Bernstein: "SipHash: a fast short-input PRF"): who does
// not know the key cannot make two texts with one number. One pass, no allocation. Pure functions; any
// thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "sql/lexical_rules.h"

namespace trunkline::sql {

struct text_key {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const text_key&) const = default;
};

struct normal_form {
  text_key key;
  /// The server may cut the text into other tokens (`scanner::doubtful`): the key says nothing.
  bool uncertain = false;
  /// A constant of it may decide whether the grammar takes it, as in E'\000' or float(0): the key may be that
  /// of texts which the grammar treats otherwise.
  bool content_matters = false;
};

class normaliser {
 public:
  /// Random bytes, of a quality that strangers cannot guess.
  explicit normaliser(const std::array<std::byte, 16>& secret);

  normal_form shape_of(std::string_view text, lexical_rules rules = {}) const;
  /// Of the text as it is. No key of this is one of `shape_of`.
  text_key key_of(std::string_view text) const;

 private:
  std::uint64_t secret_low_ = 0;
  std::uint64_t secret_high_ = 0;
};

}  // namespace trunkline::sql
