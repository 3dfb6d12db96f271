// The audit of a process: one thread that reads the workers' taps, makes events of what they told and writes
// them to the sinks, in rounds of limits::audit_commit while there is something, asleep otherwise. It also
// gives traced statements to the exporter, with or without a sink.
//
// Owner: main. `configure`, `add_worker` and `start` from one thread, then the workers start; the workers end
// before `stop`. `configure` may be called again at any time, `state` from any thread, the tap_reader's calls
// from the workers.
//
// What a sink cannot take (docs/audit.md, "When it cannot be written"): with `block` the thread reads no
// further until it can be written, the taps fill up and the workers see it; with `continue` the batch is
// given up, counted and told.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "audit/file_io.h"
#include "audit/line_sink.h"
#include "audit/otlp_exporter.h"
#include "audit/session_model.h"
#include "audit/tap.h"
#include "base/result.h"
#include "config/settings.h"
#include "runtime/owned_thread.h"
#include "runtime/parking_spot.h"

namespace trunkline::audit {

struct audit_state {
  bool enabled = false;  ///< there is a sink
  bool blocked = false;  ///< a sink fails
  std::string problem;   ///< in words; may also be the index's, which blocks nothing
  std::uint64_t events = 0;
  std::uint64_t dropped = 0;
  double lag_seconds = 0;  ///< age of the oldest record that is not written
};

class pipeline final : public tap_reader, private session_model::output {
 public:
  struct options {
    std::string boot;     ///< empty: random
    std::string replica;  ///< empty: the host's name
    file_io* files = &file_io::real();
    int standard_output = 1;
    std::size_t ring_bytes = limits::audit_ring_bytes;
  };

  pipeline() : pipeline(options{}) {}
  explicit pipeline(options how);
  /// As `stop`.
  ~pipeline() override;

  /// Before the first `configure`: its folders may be those of a process that this one takes over from.
  void begin_beside() { beside_ = true; }
  /// Opens what is new; where something cannot be opened, everything stays as it was.
  result<> configure(const config::audit& how, const config::tracing& tracing);
  /// One for each thread that has something to tell. Lives as long as the pipeline.
  tap& add_worker();
  void start();
  /// Reads and writes what is left and ends the segments. A sink that fails gets one more try.
  void stop();

  void notify() override { spot_.notify(); }
  bool blocked() const override { return blocked_.load(std::memory_order_relaxed); }
  audit_state state() const;
  /// "BOOT-N", as events name a session.
  std::string session_name(std::uint64_t id) const { return boot_ + '-' + std::to_string(id); }

 private:
  using clock = std::chrono::steady_clock;

  struct owned_sink {
    std::unique_ptr<line_sink> sink;
    config::audit_sink how;
    std::uint64_t lost_seen = 0;
  };
  /// A configuration on its way to the thread.
  struct wanted {
    config::audit how;
    std::vector<owned_sink> sinks;  ///< null where the thread has it already
    config::tracing tracing;
    std::unique_ptr<otlp_exporter> exporter;
  };

  // ---- session_model::output ----
  void event(std::string_view body, const event_facts& facts) override;
  void span(span_record span) override;
  void lost(std::uint64_t events) override;

  // ---- any thread ----
  result<> open_sinks(const config::audit& how, wanted& into);
  bool is_owned(const config::audit_sink& how) const;

  // ---- the audit thread ----
  void run();
  void wait();
  bool has_news() const;
  void take_configuration();
  void replace_sinks(wanted& next);
  void round(clock::time_point now);
  void drain();
  void look_at_clock(clock::time_point now);
  void settle(clock::time_point now);
  void count_batch();
  void retire(std::vector<owned_sink>& some);
  void tell_state();
  void finish();

  const std::string boot_;
  const std::string replica_;
  const options how_;
  std::vector<std::unique_ptr<tap>> taps_;
  runtime::parking_spot spot_;

  bool beside_ = false;
  std::mutex mutex_;  // for what is handed over
  std::unique_ptr<wanted> next_;
  std::vector<config::audit_sink> owned_;  // what the thread has
  config::tracing tracing_;
  std::vector<std::unique_ptr<otlp_exporter>> retired_;  // ended where nobody waits for them
  std::atomic<bool> has_next_{false};
  std::atomic<bool> stopping_{false};

  // The audit thread's.
  config::audit present_;
  std::vector<owned_sink> sinks_;
  std::unique_ptr<otlp_exporter> exporter_;
  session_model model_;
  std::optional<std::chrono::nanoseconds> offset_;
  clock::time_point last_round_{};
  std::uint64_t batch_events_ = 0;
  bool held_ = false;  // block: the batch is not written yet
  bool more_ = false;  // the taps hold more than went into the batch

  // Told to the others.
  mutable std::mutex state_mutex_;
  std::string problem_;
  std::atomic<bool> enabled_{false};
  std::atomic<bool> blocked_{false};
  std::atomic<std::uint64_t> events_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::int64_t> pending_since_ns_{0};

  runtime::owned_thread thread_;
};

}  // namespace trunkline::audit
