// The names of the functions, aggregates and window functions of pg_catalog in PostgreSQL 15 to 18: the union
// of the versions. Made from freshly initialised clusters of each of them with
//
//   select proname, bool_or(provolatile = 'v') from pg_proc
//    where pronamespace = 'pg_catalog'::regnamespace group by 1 order by proname collate "C";
//
// and to be made again for each new version. What they do to a session is in function_effects.h. Pure
// functions; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace trunkline::sql {

enum class builtin : std::uint8_t {
  none,
  stable_function,    ///< every function of the name is IMMUTABLE or STABLE in all versions
  volatile_function,  ///< may write, or give something else each time
};

builtin find_builtin(std::string_view name);

}  // namespace trunkline::sql
