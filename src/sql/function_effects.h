// What a call of a function may do to the session, by the function's name. Pure functions; any thread.
#pragma once

#include <string_view>

#include "sql/effects.h"

namespace trunkline::sql {

struct function_effects {
  std::uint32_t bits = 0;    ///< of `effect`
  bool may_write = false;    ///< or changes something else outside of the session
  bool may_advance = false;  ///< a sequence: itself, or by what it may call
};

/// `schema` empty: the call is unqualified. set_config() is known and without effects here: they are in its
/// arguments.
function_effects effects_of_function(std::string_view schema, std::string_view name);

}  // namespace trunkline::sql
