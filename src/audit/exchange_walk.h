// From the messages of an exchange to what was done in it: one step for each statement that ran, failed or
// was skipped, with its text, parameters and outcome; and on the way, what the server now knows by name.
// Whether a request succeeded is known when its exchange is over, so names change only here. (PostgreSQL
// documentation, "Message Flow", "Extended Query".) Pure. Owner: the audit thread; one walk serves all
// sessions, one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "audit/message_log.h"
#include "audit/statement_cache.h"
#include "audit/statement_names.h"

namespace trunkline::audit {

struct statement_step {
  enum class kind : std::uint8_t {
    query,
    execute,
    parse,  ///< only parsed, or that failed
    bind,   ///< only bound, or that failed
    function,
    answer,  ///< of a request that was told in an earlier part, or never seen
  };
  kind what = kind::query;
  bool skipped = false;  ///< an error before it in the batch: the server passed it over
  bool suspended = false;
  bool empty = false;
  bool failed = false;
  bool unknown = false;  ///< of a name that is not known
  sqlstate code;
  std::uint64_t request = 0;
  const statement_facts* facts = nullptr;  ///< null: no text
  std::string_view name;
  std::string_view portal;
  std::string_view tag;
  const prepared_statement* statement = nullptr;  ///< null: none, or none that is known
  const tapped_message* parameters = nullptr;     ///< a Bind or a FunctionCall
  const tapped_message* cut = nullptr;            ///< a Query whose text is longer than what is kept
};

/// What a session's exchange that comes in parts carries from one to the next.
struct exchange_progress {
  std::uint64_t failed_at = 0;  ///< request behind which the server skips; 0: none
  std::uint32_t parts = 0;
};

class exchange_walk {
 public:
  explicit exchange_walk(statement_names& names) : names_(&names) {}

  /// Steps of the requests up to `through`, in order. They refer to the log and to the names; what the walk
  /// takes away from these lives until `release`.
  std::span<const statement_step> run(statement_names::of_session& session, exchange_progress& progress,
                                      const message_log& log, std::uint64_t through, statement_cache& cache);
  /// Nobody refers to earlier steps any more.
  void release();

 private:
  using kind = statement_step::kind;
  static constexpr std::size_t no_step = ~std::size_t{0};

  /// The request that is being looked at.
  struct current {
    const tapped_message* message = nullptr;
    std::size_t step = no_step;       // what its answers belong to
    std::size_t steps_end = no_step;  // of a Query: behind its last statement
    prepared_ref statement;           // of a Parse, a Bind or a Describe
    std::string_view name;
    std::string_view portal;
    bool closes_statement = false;
    bool failed = false;
  };

  void begin(const tapped_message& message);
  void begin_query(const tapped_message& message);
  void begin_parse(const tapped_message& message);
  void begin_bind(const tapped_message& message);
  void begin_execute(const tapped_message& message);
  void begin_close(const tapped_message& message);
  void begin_function(const tapped_message& message);
  void answer(const tapped_message& message);
  void complete(std::string_view tag);
  void fail(const tapped_message& message);
  void describe(const tapped_message& message, prepared_statement* statement) const;
  void conclude();
  void conclude_bind();
  void orphan(const tapped_message& message);
  bool skipping(const tapped_message& message);
  statement_step* answered();
  statement_step& add(kind what, std::uint64_t request);
  static void tell_of(statement_step& step, const prepared_statement& statement);
  void keep(const prepared_ref& statement);

  statement_names* names_;
  statement_names::of_session* session_ = nullptr;
  exchange_progress* progress_ = nullptr;
  const message_log* log_ = nullptr;
  statement_cache* cache_ = nullptr;
  std::vector<statement_step> steps_;
  std::vector<prepared_ref> kept_;
  std::vector<statement_list> kept_lists_;
  std::deque<std::string> kept_names_;  // of portals that may be made anew
  current now_;
  prepared_ref last_parsed_;
  std::uint64_t number_ = 0;         // of this walk
  std::uint64_t last_answered_ = 0;  // the highest request that has an answer
  std::uint64_t last_request_ = 0;   // of the client message before
};

}  // namespace trunkline::audit
