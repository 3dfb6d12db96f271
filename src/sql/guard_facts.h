// What a text does that an access policy may forbid (docs/access.md), by PostgreSQL's grammar: bits of
// `effects::guard`, found in the same walk of the tree as its effects. Everything in the text counts,
// wherever it stands: behind EXPLAIN, in a WITH, in a PREPARE. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "sql/parse_tree.h"

namespace trunkline::sql {

enum class guard_fact : std::uint32_t {
  ddl = 1U << 0,  ///< as log_statement = ddl has it; SELECT INTO too
  server_files =
      1U << 1,      ///< COPY with a program or a file of the server's, LOAD, ALTER SYSTEM, file functions
  code = 1U << 2,   ///< DO, and functions whose body is a text: what they do cannot be read
  roles = 1U << 3,  ///< roles and who is in them
  unqualified_write = 1U << 4,  ///< UPDATE or DELETE without WHERE, TRUNCATE
  leaves_role = 1U << 5,        ///< sets or resets the role or the session's user; DISCARD ALL
  leaves_read_only = 1U << 6,   ///< may make a transaction, or later ones, read-write
  lexical = 1U << 7,            ///< later texts may be cut into other tokens
  any_setting = 1U << 8,        ///< sets something whose name is not in the text
  runs_text = 1U << 9,          ///< hands a text of SQL to a function, or to another connection
  large_objects = 1U << 10,     ///< writes one: PostgreSQL 15 does so in a read-only transaction too
  doubt = 1U << 11,             ///< the text could not be judged
};

constexpr std::uint32_t bit(guard_fact of) {
  return static_cast<std::uint32_t>(of);
}

/// The union over all statements of the tree.
std::uint32_t guard_facts_of_tree(const parse_tree& tree);

/// Of a text that is too long for the grammar: none where it is one SELECT or INSERT that calls nothing but
/// what PostgreSQL's own functions give, else `doubt`. Precondition: our tokens are the server's.
std::uint32_t guard_facts_of_long_text(std::string_view text);

}  // namespace trunkline::sql
