// What a console session asks, and who answers: the statements of interfaces.md's "Console over Postgres".
// The session speaks the protocol and knows no command; the room `console` knows the commands and no
// protocol. Implemented by console/desk.h, owned by main, outlives the workers' threads.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/work_pool.h"

namespace trunkline::session {

/// PostgreSQL's types, as far as the console's columns have them.
enum class console_type : std::uint8_t { text, int4, int8, float8, numeric };

struct console_column {
  std::string_view name;  ///< of static storage
  console_type type = console_type::text;
};

/// One value for each column, as text; nullopt is NULL.
using console_row = std::vector<std::optional<std::string>>;

/// What a statement does to the session itself. Transactions mean nothing here, but drivers begin and end
/// them.
enum class console_effect : std::uint8_t { none, begin, commit, rollback };

/// One statement that was understood.
struct console_statement {
  std::size_t number = 0;                        ///< the desk's own
  std::span<const console_column> columns = {};  ///< of static storage; empty: it returns no rows
  std::string_view tag = {};                     ///< for CommandComplete; of static storage
  console_effect effect = console_effect::none;
  std::vector<std::string> words =
      {};  ///< of a command that does something: itself in capitals, what follows

  /// The desk must be asked: for rows, or to do it.
  bool needs_desk() const { return !columns.empty() || !words.empty(); }
};

struct console_rows {
  std::vector<console_row> rows;
  std::string notice = {};  ///< said before them; may be empty
};

class console_desk {
 public:
  virtual ~console_desk() = default;

  /// The statements of one query text, in their order; the first that is not understood is an error and ends
  /// the list. Empty: there is no statement in it. Any thread, at once.
  virtual std::vector<result<console_statement>> read(std::string_view sql) const = 0;
  /// Only inside a job of `work()`: it may wait for workers.
  virtual result<console_rows> rows(const console_statement& statement) = 0;
  /// Threads of the console's own, so that it keeps nobody's login waiting.
  virtual runtime::work_pool& work() = 0;
  /// "0.1.0"
  virtual std::string_view version() const = 0;
};

}  // namespace trunkline::session
