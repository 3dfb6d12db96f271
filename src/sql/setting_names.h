// What setting a variable by its name means for the session. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>

#include "sql/effects.h"

namespace trunkline::sql {

enum class reach : std::uint8_t {
  session,
  transaction,  ///< SET LOCAL
};

/// Notes in `out` that the text may set or reset the variable. `name` as written; empty: it is not in the
/// text.
void touch_setting(effects& out, std::string name, reach how_far);

}  // namespace trunkline::sql
