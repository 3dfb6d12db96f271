// One line of the audit as readers need it: the values that filters ask for, found without building a tree,
// about a microsecond a line. Any bytes are welcome; what is no line of ours answers false. Views live as
// long as the line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/block_facts.h"

namespace trunkline::audit {

/// Texts are as they stand in the line, JSON escapes and all: see `json_plain`.
struct line_view {
  std::uint64_t seq = 0;
  std::int64_t time_us = 0;
  std::string_view event, session, principal, database;
  double seconds = 0;  ///< of an exchange, in all
  std::vector<std::string_view> fingerprints;
  std::vector<std::string_view> sqlstates;  ///< of the event and of its statements
  std::vector<std::string_view> texts;      ///< of statements

  /// Of a line without its line end; keeps the memory of the vectors.
  bool read(std::string_view line);
};

/// RFC 3339, UTC, as the audit writes it: microseconds since 1970.
std::optional<std::int64_t> read_time(std::string_view text);
/// The same, back.
std::string time_of(std::int64_t time_us);

/// The text that a JSON string's inside stands for.
std::string json_plain(std::string_view inside);

}  // namespace trunkline::audit
