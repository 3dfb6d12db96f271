// What may go wrong on a path, by kind, each with what it means; and an error's SQLSTATE as one of them.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "storm/stage.h"

namespace trunkline::storm {

enum class fault : std::uint8_t {
  no_address,
  refused,
  unreachable,
  timed_out,
  reset,
  closed_early,
  tls_failed,
  not_postgres,
  out_of_protocol,
  login_refused,
  no_capacity,
  not_accepting,
  server_ended,
  server_lost,
  server_error,
  lost_prepared,
  statement_timeout,
  stray_cancel,
  lost_cancel,
  lost_notification,
  foreign_answer,
  stale_answer,
  lost_row,
  duplicate_row,
  corrupt_row,
  wrong_answer,
  late,
};

/// What became of the answer.
enum class answer_is : std::uint8_t { wrong, missing, refused, late };

struct fault_facts {
  std::string_view name;  ///< as JSON has it
  answer_is answer;
  std::string_view meaning;  ///< one sentence
};

const fault_facts& facts_of(fault which);
std::string_view name_of(answer_is which);

/// Something that went wrong once.
struct problem {
  fault what = fault::out_of_protocol;
  stage where = stage::query;
  std::optional<sqlstate> code = {};  ///< where a server or a proxy said it in an ErrorResponse
  std::string message = {};           ///< one line, without a secret
};

/// What a peer said as one line that no terminal obeys: control characters become blanks, what is too long is
/// cut.
std::string one_line(std::string_view text);

/// Which fault an ErrorResponse is that nobody expected.
fault fault_of(const sqlstate& code, stage where);

}  // namespace trunkline::storm
