// Lines of one sink that are not written yet, in one buffer, with what the index wants to know of each. They
// continue a chain; until they are written it stands where it stood. Owner: the audit thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "audit/event_json.h"
#include "audit/line_chain.h"

namespace trunkline::audit {

struct pending_line {
  std::size_t size = 0;  ///< line end included
  bool counted = true;   ///< an event that is lost where the line is dropped; not the sink's own
  std::int64_t time_us = 0;
  double seconds = 0;
  std::string_view event;
  const session_labels* who = nullptr;
  sqlstate code;
  std::size_t statements_end = 0;  ///< of `pending_lines::statements`
};

struct pending_statement {
  const statement_facts* facts = nullptr;
  sqlstate code;
};

class pending_lines {
 public:
  void add(std::string_view body, const event_facts& facts, bool counted);

  bool empty() const { return lines_.empty(); }
  std::string_view text() const { return text_; }
  const std::vector<pending_line>& lines() const { return lines_; }
  const std::vector<pending_statement>& statements() const { return statements_; }
  /// The chain as of the last line that was written, and as of the last one here.
  const chain_state& written() const { return written_; }
  const chain_state& last() const { return last_; }

  void start_from(const chain_state& state) { written_ = last_ = state; }
  /// A line of the sink's own came between: makes all lines anew behind it.
  void rebase(const chain_state& state);
  /// All is written.
  void commit();
  /// What is behind the first `whole` bytes, a line border, will never be written.
  void cut_behind(std::size_t whole);
  line_hash& hash() { return hash_; }

 private:
  line_hash hash_;
  chain_state written_;
  chain_state last_;
  std::string text_;
  std::string spare_;
  std::vector<pending_line> lines_;
  std::vector<pending_statement> statements_;
};

}  // namespace trunkline::audit
