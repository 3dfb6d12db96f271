// Rows that a client can tell from all others: each carries who asked for it, with which request, and its
// number, and so says by itself whose it is where it arrives at the wrong place. Pure; any thread.
//
//     storm1f3a.17.2.345:12:xxxxxxxx        run, client, session, request : row : padding
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storm/fault.h"

namespace trunkline::storm {

/// Who asks, and which of its requests it is.
struct asker {
  std::uint32_t run = 0;  ///< of the process; tells two storms on one server apart
  std::uint32_t client = 0;
  std::uint32_t session = 0;  ///< of the client
  std::uint64_t request = 0;  ///< of the client

  bool operator==(const asker&) const = default;
  /// "storm1f3a.17.2.345"
  std::string token() const;
};

/// What the rows of one request must be: numbers 1 to `count`, each once, in order.
class row_check {
 public:
  row_check() = default;
  row_check(const asker& who, std::uint32_t count, std::uint32_t padding);

  /// Whether some storm has made this row.
  static bool recognises(std::string_view row);

  /// SQL that gives these rows, without a parameter.
  std::string sql() const;
  /// SQL with $1 for the token and $2 for the count.
  static std::string prepared_sql(std::uint32_t padding);
  /// The text of one row.
  std::string row(std::uint32_t number) const;

  /// The next row. Nothing: it is right.
  std::optional<problem> take(std::string_view row);
  bool complete() const { return seen_ == count_; }
  std::uint32_t count() const { return count_; }
  std::uint32_t seen() const { return seen_; }
  const std::string& token() const { return token_; }
  /// How rows are missing at the end, in words.
  problem missing() const;

 private:
  problem judge(std::string_view row) const;

  asker who_;
  std::string token_;
  std::uint32_t count_ = 0;
  std::uint32_t padding_ = 0;
  std::uint32_t seen_ = 0;
};

}  // namespace trunkline::storm
