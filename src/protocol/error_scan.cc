#include "protocol/error_scan.h"

#include <algorithm>
#include <string_view>

namespace trunkline::protocol {
namespace {

constexpr std::string_view copy_word = "COPY ";
constexpr std::uint8_t no_match = 0xff;

}  // namespace

void error_scan::feed(byte_span piece) {
  for (const std::byte each : piece) {
    const char byte = static_cast<char>(each);
    if (field_ == 0) {
      field_ = byte;  // a NUL here ends the message
    } else if (byte == '\0') {
      field_over();
    } else {
      value_byte(byte);
    }
  }
}

copy_progress error_scan::progress_of_copy() const {
  if (copy_context_ || code_ == sqlstates::bad_copy_file_format) return copy_progress::in_data;
  if (code_ == sqlstates::query_canceled && !has_context_) return copy_progress::in_data;
  return from_copy_itself_ ? copy_progress::before_data : copy_progress::unknown;
}

void error_scan::value_byte(char byte) {
  if (size_ < value_.size()) value_[size_] = byte;
  if (size_ <= value_.size()) ++size_;  // one more says that it goes on
  if (field_ != 'W') return;
  has_context_ = true;
  if (matched_ < copy_word.size() && byte == copy_word[matched_]) {
    copy_context_ = copy_context_ || ++matched_ == copy_word.size();
  } else {
    matched_ = byte == '\n' ? 0 : no_match;
  }
}

void error_scan::field_over() {
  const std::string_view value{value_.data(), std::min<std::size_t>(size_, value_.size())};
  switch (field_) {
    case 'S':  // may be translated; V (PostgreSQL 9.6 and later), which comes behind it, never is
    case 'V':
      fatal_ = value == "FATAL" || value == "PANIC";
      break;
    case 'C':
      if (value.size() == sqlstate{}.view().size()) code_ = sqlstate{value};
      break;
    case 'R':
      from_copy_itself_ = value == "CopyFrom";
      break;
    default:
      break;
  }
  field_ = 0;
  size_ = 0;
  matched_ = 0;
}

}  // namespace trunkline::protocol
