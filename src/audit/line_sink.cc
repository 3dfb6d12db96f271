#include "audit/line_sink.h"

#include <algorithm>

#include "audit/json_pieces.h"
#include "base/limits.h"

namespace trunkline::audit {

std::int64_t line_sink::now_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

std::string line_sink::own_body(std::string_view event) {
  std::string body = "\"time\":\"";
  body += times_.of(now_us());
  body += "\",\"event\":\"";
  body += event;
  body += '"';
  append_field(body, "replica", replica_);
  return body;
}

void line_sink::begin_batch(time_point now, bool lossy) {
  resting_ = lossy && failed_ && now < next_try_;
  if (resting_ || lost_events_ == 0 || gap_told_) return;
  std::string body = own_body("gap");
  append_gap(body, times_, lost_from_us_, lost_to_us_, lost_events_, "sink");
  pending_.add(body, {.time_us = lost_to_us_, .event = "gap"}, false);
  gap_told_ = true;
  told_events_ = lost_events_;
}

void line_sink::add(std::string_view body, const event_facts& facts) {
  if (resting_) return count_lost(facts.time_us);
  pending_.add(body, facts, true);
}

void line_sink::count_lost(std::int64_t time_us) {
  // Behind a gap that is partly out, another one begins.
  const bool first = lost_events_ == (gap_told_ ? told_events_ : 0);
  lost_from_us_ = first ? time_us : std::min(lost_from_us_, time_us);
  lost_to_us_ = first ? time_us : std::max(lost_to_us_, time_us);
  ++lost_events_;
  ++lost_in_all_;
}

bool line_sink::commit(time_point now) {
  if (failed_ && now < next_try_) return false;
  bool done = pending_.empty() || write();
  if (done && !pending_.empty()) {
    written();
    pending_.commit();
    written_ = 0;
    if (gap_told_) lost_events_ -= told_events_;
    gap_told_ = false;
  }
  done = done && upkeep(now);
  failed_ = !done;
  if (done) {
    problem_.clear();
  } else {
    next_try_ = now + limits::audit_sink_retry;
  }
  return done;
}

/// A line of which a part is out (standard output takes nothing back) is kept to its end.
std::uint64_t line_sink::give_up() {
  const std::uint64_t before = lost_in_all_;
  std::size_t whole = 0;
  std::size_t kept = 0;
  const auto& lines = pending_.lines();
  for (; kept < lines.size() && whole < written_; ++kept)
    whole += lines[kept].size;
  for (std::size_t i = kept; i < lines.size(); ++i) {
    if (lines[i].counted) {
      count_lost(lines[i].time_us);
    } else {
      gap_told_ = false;
    }
  }
  pending_.cut_behind(whole);
  return lost_in_all_ - before;
}

}  // namespace trunkline::audit
