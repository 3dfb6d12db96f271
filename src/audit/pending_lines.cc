#include "audit/pending_lines.h"

#include <utility>

#include "base/limits.h"

namespace trunkline::audit {

void pending_lines::add(std::string_view body, const event_facts& facts, bool counted) {
  pending_line& line = lines_.emplace_back();
  line.size = append_line(text_, body, last_, hash_);
  line.counted = counted;
  line.time_us = facts.time_us;
  line.seconds = facts.seconds;
  line.event = facts.event;
  line.who = facts.who;
  line.code = facts.code;
  for (const statement_step& step : facts.steps) {
    // The same statement a thousand times in one batch is told once.
    const bool again = !statements_.empty() && &step != facts.steps.data() && !step.failed &&
                       statements_.back().facts == step.facts;
    if (!again && (step.facts != nullptr || step.failed)) statements_.push_back({step.facts, step.code});
  }
  line.statements_end = statements_.size();
}

void pending_lines::rebase(const chain_state& state) {
  written_ = last_ = state;
  spare_.swap(text_);
  text_.clear();
  std::size_t at = 0;
  for (pending_line& line : lines_) {
    const std::size_t size = line.size;
    line.size = append_line(text_, body_of(std::string_view(spare_).substr(at, size)), last_, hash_);
    at += size;
  }
}

void pending_lines::commit() {
  written_ = last_;
  lines_.clear();
  statements_.clear();
  text_.clear();
  if (text_.capacity() > 2 * limits::audit_batch_bytes) std::string().swap(text_);
  if (spare_.capacity() > 0) std::string().swap(spare_);
}

void pending_lines::cut_behind(std::size_t whole) {
  std::size_t at = 0;
  std::size_t kept = 0;
  last_ = written_;
  for (; kept < lines_.size() && at < whole; ++kept) {
    read_chain(std::string_view(text_).substr(at, lines_[kept].size - 1), last_, hash_);
    at += lines_[kept].size;
  }
  lines_.resize(kept);
  statements_.resize(kept == 0 ? 0 : lines_.back().statements_end);
  text_.resize(at);
}

}  // namespace trunkline::audit
