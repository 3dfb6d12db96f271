// Whole lines of a part of a file, in order, through one buffer that grows to the longest line. One owner;
// blocking.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/unique_fd.h"

namespace trunkline::audit {

class line_source {
 public:
  /// From `begin`, where a line begins, to `end`; `buffer` is borrowed.
  line_source(const std::string& path, std::uint64_t begin, std::uint64_t end, std::string& buffer);

  bool is_open() const { return static_cast<bool>(file_); }
  /// Further whole lines, line ends included; empty: there are no more. They live until the next call.
  std::string_view next_lines();
  /// Where the lines given last began.
  std::uint64_t offset() const { return given_; }
  /// What stands behind the last whole line, once `next_lines` has answered nothing.
  std::string_view torn() const { return std::string_view(buffer_).substr(0, kept_); }
  /// errno of a read that failed; 0: none did. A line that is too long counts as EFBIG.
  int problem() const { return problem_; }

 private:
  runtime::unique_fd file_;
  std::string& buffer_;
  std::uint64_t at_;  // of what is read next
  std::uint64_t end_;
  std::uint64_t given_;
  std::size_t kept_ = 0;   // bytes at the buffer's front: the beginning of a line
  std::size_t taken_ = 0;  // lines at the front that were given out
  int problem_ = 0;
};

}  // namespace trunkline::audit
