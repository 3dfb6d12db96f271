// What a server must answer to one request, message by message, and whether it does (PostgreSQL
// documentation, "Message Flow"). Each client knows what it must see; whatever else comes is a problem with a
// name. Pure: messages in, verdicts out. One owner.
//
//     reply_check reply;
//     reply.expect('T').expect_rows('D', rows).expect('C', "SELECT 3").expect('Z', "I");
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "storm/row_check.h"

namespace trunkline::storm {

class reply_check {
 public:
  reply_check() { expected_.reserve(4); }

  /// One message of that type. `detail`: of 'C' the tag, of 'E' the SQLSTATE, of 'Z' the status; empty:
  /// whatever it is.
  reply_check& expect(char type, std::string detail = {});
  /// All rows of one result: 'D' with one column, or 'd' with a line of text.
  reply_check& expect_rows(char type, row_check rows);
  /// One row with one column that holds this text.
  reply_check& expect_value(std::string text);

  /// The next message, without NoticeResponse, ParameterStatus and NotificationResponse, which may come at
  /// any time. True: that was the last one.
  std::expected<bool, problem> take(char type, byte_span body);
  bool done() const { return at_ == expected_.size(); }
  /// Rows that were right so far.
  std::uint64_t rows() const { return rows_; }
  /// What is waited for, in words.
  std::string next() const;

 private:
  struct message {
    char type;
    std::string detail;
    bool is_rows = false;
    row_check rows = {};
  };

  std::expected<bool, problem> took_one();
  std::optional<problem> take_row(message& of, char type, byte_span body);
  problem unexpected(char type, byte_span body) const;

  std::vector<message> expected_;
  std::size_t at_ = 0;
  std::uint64_t rows_ = 0;
};

/// Of a message of a server, for a human: "DataRow"; "an unknown message" where there is no such type.
std::string_view message_name(char type);

/// An ErrorResponse that nobody expected.
problem problem_of(byte_span error_body, stage where);

}  // namespace trunkline::storm
