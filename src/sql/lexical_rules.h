// The settings of a session that say how PostgreSQL cuts a text into tokens (documentation, 4.1 "Lexical
// Structure"). The server reports both in ParameterStatus. Pure; any thread.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace trunkline::sql {

struct lexical_rules {
  bool standard_conforming_strings = true;  ///< false: a backslash in '...' escapes
  bool ascii_superset = true;  ///< of client_encoding: a byte below 0x80 is never a part of another character

  /// From a ParameterStatus: others than these two settings change nothing.
  void learn(std::string_view name, std::string_view value);

  bool operator==(const lexical_rules&) const = default;
};

/// By the name that ParameterStatus gives (documentation, 24.3 "Character Set Support": those that only a
/// client may use). In them a character's second byte may be a backslash.
inline bool is_ascii_superset(std::string_view client_encoding) {
  constexpr std::array<std::string_view, 7> others{"BIG5", "GB18030", "GBK",           "JOHAB",
                                                   "SJIS", "UHC",     "SHIFT_JIS_2004"};
  return std::ranges::find(others, client_encoding) == others.end();
}

inline void lexical_rules::learn(std::string_view name, std::string_view value) {
  if (name == "standard_conforming_strings") standard_conforming_strings = value != "off";
  if (name == "client_encoding") ascii_superset = is_ascii_superset(value);
}

}  // namespace trunkline::sql
