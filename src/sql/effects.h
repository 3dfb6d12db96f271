// What the text of a query may do to the session it runs in, beyond its transaction: it decides whether a
// client in transaction pooling may give its server connection back. On doubt `inspect`: the gateway then
// asks the server what the session holds. Never the other way round.
//
// Judged is the text alone, by PostgreSQL 15's own grammar (libpg_query). What newer grammars added is
// refused and so `inspect`. Not seen is what a name stands for: an unqualified function that search_path
// takes from another schema than pg_catalog, or one of the user's behind a view, a trigger, an operator, a
// cast, a default, a policy or a column's notation (`row.function`).
//
// Pure functions; any thread. libpg_query keeps memory of its own for each thread that calls it, and frees it
// when that thread ends.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sql/guard_facts.h"
#include "sql/lexical_rules.h"

namespace trunkline::sql {

enum class effect : std::uint32_t {
  // What may be set or made. All but `role`, `path` and `creates` come with `inspect`.
  inspect = 1U << 0,        ///< ask the server what the session's state is
  all_settings = 1U << 1,   ///< a setting whose name is not in the text
  role = 1U << 2,           ///< SET ROLE, SET SESSION AUTHORIZATION, or a RESET of them
  prepare = 1U << 3,        ///< PREPARE
  temporary = 1U << 4,      ///< an object in the session's temporary schema
  hold_cursor = 1U << 5,    ///< DECLARE ... WITH HOLD
  advisory_lock = 1U << 6,  ///< held by the session, not by the transaction
  listen = 1U << 7,         ///< LISTEN
  load = 1U << 8,           ///< LOAD
  seed = 1U << 9,           ///< setseed(), SET seed
  connection = 1U << 10,    ///< dblink_connect(): a connection of the session's own to another server
  session_bound =
      1U << 11,  ///< a base backup, a replication origin or a temporary slot: bound to the session
  // What depends on the session's past.
  sequence_read = 1U << 12,  ///< currval(), lastval()
  execute = 1U << 13,        ///< EXECUTE: `execute_name`
  // What may take such things away.
  deallocate = 1U << 14,         ///< DEALLOCATE: `deallocate_name`
  discard_all = 1U << 15,        ///< DISCARD ALL
  discard_plans = 1U << 16,      ///< DISCARD PLANS
  discard_sequences = 1U << 17,  ///< DISCARD SEQUENCES
  discard_temporary = 1U << 18,  ///< DISCARD TEMP
  unlisten = 1U << 19,           ///< UNLISTEN
  advisory_unlock = 1U << 20,    ///< pg_advisory_unlock(), _shared, _all
  disconnect = 1U << 21,         ///< dblink_disconnect()
  // What is clean by itself, and matters to a gateway that knows more.
  close_cursor = 1U << 22,  ///< CLOSE: of interest where the session has a cursor WITH HOLD
  creates = 1U << 23,       ///< creates a relation without a schema: a temporary one where search_path begins
                            ///< with pg_temp
  path = 1U << 24,          ///< sets search_path, for the session or (SET LOCAL) the transaction
  reset_all = 1U << 25,     ///< RESET ALL, DISCARD ALL
};

enum class statement_kind : std::uint8_t {
  other,
  read_only,  ///< reads: no lock on rows, no function that is unknown or may write. SHOW, EXPLAIN without
              ///< ANALYZE too
  begins,     ///< BEGIN, START TRANSACTION
  ends,       ///< COMMIT, ROLLBACK, PREPARE TRANSACTION
  ddl,        ///< may make cached plans invalid
  copy,
  empty,  ///< nothing but white space, comments and semicolons
};

struct effects {
  std::uint32_t bits = 0;                       ///< of `effect`
  statement_kind kind = statement_kind::empty;  ///< of the first statement
  /// Another text that differs from this one in constants only may have other effects.
  bool depends_on_text = false;
  std::uint32_t statements = 0;  ///< in the text; 0: none, or it was refused
  /// Names, in lower case and each once, that the text may set or reset for the session. At most
  /// `limits::sql_settings`; with more, or a longer name than PostgreSQL's own, `all_settings` and `inspect`.
  std::vector<std::string> settings;
  std::string execute_name;     ///< empty: no EXECUTE, or of several names
  std::string deallocate_name;  ///< empty: no DEALLOCATE, DEALLOCATE ALL, or of several names
  std::string listen_name;      ///< empty: no LISTEN, or to several channels
  std::string unlisten_name;    ///< "*": all; empty: no UNLISTEN, or of several channels
  /// Of the first statement: no sequence can be at another value for it. A SELECT that calls nothing but what
  /// PostgreSQL has built in, nextval() and setval() apart; or one that runs no function, such as SET.
  bool keeps_sequences = false;
  std::uint32_t guard = 0;  ///< of `guard_fact`: what an access policy may forbid

  bool has(effect each) const { return (bits & static_cast<std::uint32_t>(each)) != 0; }
  void add(effect each) { bits |= static_cast<std::uint32_t>(each); }
  void add(std::initializer_list<effect> all) {
    for (const effect each : all)
      add(each);
  }
  /// Nothing outlives the transaction, as far as the text tells.
  bool clean() const {
    constexpr std::uint32_t harmless = static_cast<std::uint32_t>(effect::close_cursor) |
                                       static_cast<std::uint32_t>(effect::creates) |
                                       static_cast<std::uint32_t>(effect::path);
    return (bits & ~harmless) == 0 && settings.empty();
  }

  bool operator==(const effects&) const = default;
};

/// The union over all statements of `text`. A text longer than `limits::sql_text_bytes`, nested more deeply
/// than `limits::sql_depth`, that the grammar refuses or whose tokens `rules` leave open is `inspect` alone.
effects find_effects(std::string_view text, lexical_rules rules = {});

/// Of a text that could not be judged.
effects unknown_effects();

}  // namespace trunkline::sql
