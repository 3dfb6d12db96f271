// The grammar that all SCRAM messages share (RFC 5802, section 7): attributes `x=value` between commas, and
// what both roles compute from them. Internal to this room; value types; any thread.
#pragma once

#include <string>
#include <string_view>

#include "auth/sha256.h"
#include "base/bytes.h"
#include "base/result.h"

namespace trunkline::auth {

inline constexpr std::string_view end_point_flag = "p=tls-server-end-point,,";

struct attribute {
  char name = 0;
  std::string_view value;
};

/// 08P01 "malformed SCRAM message: <problem>"; closes the connection.
error malformed(error_source from, std::string problem);

/// A character of a peer's message as it may stand in an error text: itself, or 0xNN.
std::string printable(char c);

/// Printable ASCII without comma (RFC 5802: the characters of a nonce); may be empty.
bool is_nonce_text(std::string_view text);

/// Rejects what no SCRAM message may be: empty, longer than `limit` bytes, or with a NUL in it.
result<std::string_view> message_text(byte_span data, std::size_t limit, error_source from);

/// Walks the attributes of a message from left to right; the views point into the message.
class attribute_reader {
 public:
  attribute_reader(std::string_view message, error_source from) : rest_(message), from_(from) {}

  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  /// The next attribute, which must have this name; its value.
  result<std::string_view> expect(char name);
  /// The next attribute, whatever it is.
  result<attribute> any();

 private:
  std::string_view take_value();

  std::string_view rest_;
  error_source from_;
};

digest exclusive_or(const digest& left, const digest& right);

}  // namespace trunkline::auth
