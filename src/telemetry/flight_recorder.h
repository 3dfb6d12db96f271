// The slowest and the failed exchanges of one worker, whole, in bounded memory. The worker's loop offers each
// exchange; few are kept, so the lock is hardly ever taken there. Readers copy under it. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/limits.h"
#include "telemetry/exchange.h"

namespace trunkline::telemetry {

struct flight_record {
  exchange_facts facts;
  std::chrono::system_clock::time_point began;
  std::uint64_t session = 0;
  std::string route;
  std::string user;
  std::string database;
  std::string application_name;
  std::string client;
  std::string endpoint;
  /// The beginning of the statement as it was sent: may hold literals and passwords. Whoever shows it passes
  /// it through audit::statement_cache first. Empty where it was not seen.
  std::string statement;
};

class flight_recorder {
 public:
  /// Whether such an exchange would be kept: failed, or among the slowest of the last minutes. Owner only.
  bool wants(const exchange_facts& facts) const {
    return facts.how != outcome::ok || facts.total.count() > threshold_ns_ ||
           facts.began - window_began_ >= limits::slow_window;
  }
  /// Owner only. `now` is the loop's clock. Texts are cut to `limits::statement_head_bytes` and
  /// `limits::flight_text_bytes`.
  void keep(flight_record record, std::chrono::steady_clock::time_point now);
  /// Slowest first, of this window and the one before; the failed ones newest first.
  std::vector<flight_record> slowest() const;
  std::vector<flight_record> failed() const;

 private:
  using kept = std::shared_ptr<const flight_record>;

  void turn_page(std::chrono::steady_clock::time_point now);
  void keep_slow(const kept& record);
  static bool slower(const kept& a, const kept& b) { return a->facts.total > b->facts.total; }

  mutable std::mutex mutex_;
  std::vector<kept> slow_;      ///< a heap, the fastest on top
  std::vector<kept> previous_;  ///< the same of the window before
  std::vector<kept> failed_;    ///< a ring
  std::size_t next_failed_ = 0;
  // The owner's:
  std::chrono::steady_clock::time_point window_began_{};
  std::int64_t threshold_ns_ = -1;
};

}  // namespace trunkline::telemetry
