// The console's tables: what each SHOW shows, as columns and rows, from the views of an `observer`. Where
// PgBouncer has the command, its column names (of 1.18) come first and in its order, then those that later
// versions added, then ours. Pure but for the observer that they ask; on the console's own threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>

#include "audit/statement_cache.h"
#include "console/stats_window.h"
#include "session/console_desk.h"
#include "session/observer.h"

namespace trunkline::console {

/// What the tables are made from.
struct sight {
  session::observer& from;
  audit::statement_cache& statements;
  stats_window& stats;
  std::string_view version;
  std::chrono::system_clock::time_point now;
  std::chrono::steady_clock::time_point clock;
};

using rows_of = session::console_rows (*)(sight& seen);

struct table {
  std::string_view name;
  std::string_view meaning;  ///< for SHOW HELP
  std::span<const session::console_column> columns;
  rows_of rows;
};

/// All of them, by name.
std::span<const table> tables();
/// Its index; `tables().size()` where there is none.
std::size_t find_table(std::string_view name);

// By subject, each in a file of its own: tables_*.cc.
std::span<const table> session_tables();
std::span<const table> pool_tables();
std::span<const table> stats_tables();
std::span<const table> setup_tables();
std::span<const table> exchange_tables();
std::span<const table> foreign_tables();

}  // namespace trunkline::console
