// Where lines go: collects a batch, writes it whole or says why not. A batch that cannot be written stays and
// is tried again (`onFailure: block`), or is given up, and the sink then begins with a `gap` as soon as it
// can (`continue`). Each sink numbers and chains its lines by itself. Owner: the audit thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/pending_lines.h"

namespace trunkline::audit {

class line_sink {
 public:
  using time_point = std::chrono::steady_clock::time_point;

  explicit line_sink(std::string replica) : replica_(std::move(replica)) {}
  line_sink(const line_sink&) = delete;
  line_sink& operator=(const line_sink&) = delete;
  virtual ~line_sink() = default;

  /// Before the first event of a batch. `lossy`: what cannot be written may be given up.
  void begin_batch(time_point now, bool lossy);
  void add(std::string_view body, const event_facts& facts);
  /// Everything that was added is where it belongs. False: `problem()` says what is wrong; later calls try
  /// again, not more often than `limits::audit_sink_retry`.
  bool commit(time_point now);
  /// What is not written never will be; it is counted and told. Answers how many events.
  std::uint64_t give_up();
  /// As good an end as can be had.
  virtual void end() {}

  /// Nothing is left to be written or told.
  bool settled() const { return pending_.empty() && lost_events_ == 0; }
  std::size_t pending_bytes() const { return pending_.text().size(); }
  bool failed() const { return failed_; }
  const std::string& problem() const { return problem_; }
  std::uint64_t lost_events() const { return lost_in_all_; }
  /// When a call of `commit` has something to do although nothing was added.
  virtual std::optional<time_point> deadline() const { return std::nullopt; }

 protected:
  /// Writes `pending()` from `written_` on. False, with `problem_` set: it is not all there.
  virtual bool write() = 0;
  /// All is written and `pending()` still holds it.
  virtual void written() {}
  /// Between batches, nothing pending. False, with `problem_` set: something could not be done.
  virtual bool upkeep(time_point /*now*/) { return true; }

  pending_lines& pending() { return pending_; }
  const pending_lines& pending() const { return pending_; }
  /// The beginning of a body for a line of the sink's own.
  std::string own_body(std::string_view event);
  static std::int64_t now_us();

  std::size_t written_ = 0;  ///< bytes of the batch that are out and cannot be taken back
  std::string problem_;

 private:
  void count_lost(std::int64_t time_us);

  std::string replica_;
  pending_lines pending_;
  time_text times_;
  time_point next_try_{};
  bool failed_ = false;
  bool resting_ = false;           // lossy, and it is not yet time to try again
  bool gap_told_ = false;          // in the batch
  std::uint64_t told_events_ = 0;  // by the gap in the batch
  std::uint64_t lost_events_ = 0;  // not told yet, or only in the batch
  std::uint64_t lost_in_all_ = 0;
  std::int64_t lost_from_us_ = 0;
  std::int64_t lost_to_us_ = 0;
};

}  // namespace trunkline::audit
