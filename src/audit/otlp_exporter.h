// Spans to a collector: OTLP/HTTP, JSON (OpenTelemetry: "OTLP Specification" 1.x, "JSON Protobuf Encoding").
// Batches, from a thread of its own: `add` never waits. What cannot be sent in time is lost and counted, and
// never holds anything up. The gateway is a client of the database, so its spans have kind CLIENT (semantic
// conventions for database client spans). Any thread may add. Owner: main.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/owned_thread.h"

namespace trunkline::audit {

struct span_record {
  std::string trace_id;        ///< 32 hexadecimal digits, not all of them 0
  std::string parent_span_id;  ///< 16, or empty
  std::string name;
  std::int64_t start_unix_ns = 0;
  std::int64_t end_unix_ns = 0;
  std::vector<std::pair<std::string, std::string>> attributes;
  bool failed = false;
};

/// The body of one request. `span_ids` has 16 hexadecimal digits for each span (precondition).
std::string otlp_body(const std::vector<span_record>& spans, const std::vector<std::string>& span_ids);

class otlp_exporter {
 public:
  /// `endpoint` such as http://127.0.0.1:4318/v1/traces. https is verified with the authorities in `ca_file`;
  /// empty: with the system's.
  explicit otlp_exporter(std::string endpoint, std::string ca_file = {});
  otlp_exporter(const otlp_exporter&) = delete;
  otlp_exporter& operator=(const otlp_exporter&) = delete;
  /// Waits at most limits::otlp_farewell for what is left to go.
  ~otlp_exporter();

  /// A span with ids that are none is lost too, and counted: it would spoil its batch.
  void add(span_record span);
  /// Spans that were lost.
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  class sender;

  void serve();
  /// The next batch; empty: it is over.
  std::vector<span_record> next_batch();
  void deliver(std::vector<span_record> batch);
  /// Waits between two attempts; false: there is no time for another one.
  bool pause(std::chrono::milliseconds time);
  void lose(std::size_t spans) { dropped_.fetch_add(spans, std::memory_order_relaxed); }

  const std::unique_ptr<sender> sender_;
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<span_record> waiting_;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point last_moment_{};  ///< while stopping
  runtime::owned_thread thread_;                         // last: it uses the others
};

}  // namespace trunkline::audit
