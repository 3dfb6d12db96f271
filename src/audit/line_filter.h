// Which lines are wanted. Each thing that is set must hold. A filter can say of a block whether it may hold
// such a line, and of bytes where one may stand, before anything is parsed. Value type; set up once, then
// read only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/block_facts.h"
#include "audit/line_view.h"

namespace trunkline::audit {

struct line_filter {
  std::optional<std::int64_t> since_us;
  std::optional<std::int64_t> until_us;
  std::string event, session, principal, database, sqlstate;
  std::vector<std::string> fingerprints;  ///< any of them; empty: whatever
  bool no_fingerprint_fits = false;       ///< a search for statements found none
  double slower_than = 0;                 ///< seconds
  std::string text;                       ///< part of a statement's text, in any case of ASCII letters

  bool may_hold(const block_facts& block) const;
  bool fits(const line_view& line) const;
  /// What every wanted line has in it, to be looked for in raw bytes; empty: nothing so simple.
  std::string needle() const;
};

/// memmem without regard to the case of ASCII letters.
std::size_t find_ignoring_case(std::string_view text, std::string_view words);

}  // namespace trunkline::audit
