// What the relay wants to know of an ErrorResponse, read as its body passes by in pieces of any size: is it
// fatal, its SQLSTATE, and whether it happened while a COPY read its data (PostgreSQL documentation, "Error
// and Notice Message Fields"). Pure, fixed size. Owner: one session on one worker.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/error.h"

namespace trunkline::protocol {

/// How far a COPY FROM STDIN that failed had come.
enum class copy_progress : std::uint8_t { unknown, before_data, in_data };

class error_scan {
 public:
  void feed(byte_span piece);

  /// Severity FATAL or PANIC: the server ends the session.
  bool fatal() const { return fatal_; }
  /// 00000 where the field is missing.
  sqlstate code() const { return code_; }
  /// Where the error ended a COPY FROM STDIN: a line of its context (field W) that begins with COPY, as in
  /// "COPY accounts, line 7", stands there while data are read. Only while a binary header is read there is
  /// none: then the SQLSTATE is 22P04, or 57014 for a CopyFail or a cancel. What CopyFrom itself raises
  /// (field R), it raises before. The rest comes from triggers and constraints, which may run before or
  /// after.
  copy_progress progress_of_copy() const;

 private:
  void value_byte(char byte);
  void field_over();

  std::array<char, 9> value_{};  // the first bytes of the field's value
  sqlstate code_;
  char field_ = 0;            // its code; 0 between fields
  std::uint8_t size_ = 0;     // of the value, at most one more than `value_` holds
  std::uint8_t matched_ = 0;  // of the word COPY, since the beginning of a line
  bool fatal_ = false;
  bool has_context_ = false;
  bool copy_context_ = false;
  bool from_copy_itself_ = false;
};

}  // namespace trunkline::protocol
