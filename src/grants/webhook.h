// Tells one receiver of requests and what becomes of them, over HTTP, from a thread of its own: `tell` never
// waits. What cannot be delivered in time is lost and counted; the store and the audit have it all the same.
// Any thread may tell. Owner: main.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>

#include "config/access.h"
#include "grants/desk.h"
#include "http/http_client.h"
#include "runtime/owned_thread.h"
#include "telemetry/logger.h"

namespace trunkline::grants {

/// Where to, in which form, and with which secret.
struct webhook_target {
  secret_text url;          ///< that of Slack's is a secret
  secret_text secret = {};  ///< empty: not signed
  bool slack = false;
  bool operator==(const webhook_target& other) const {
    return url.reveal() == other.url.reveal() && secret.reveal() == other.secret.reveal() &&
           slack == other.slack;
  }
};

class webhook {
 public:
  /// `gateway` names this process in the numbers of deliveries.
  webhook(webhook_target to, std::string gateway, telemetry::logger& log);
  webhook(const webhook&) = delete;
  webhook& operator=(const webhook&) = delete;
  /// Waits at most limits::webhook_farewell for what is left to go.
  ~webhook();

  void tell(const change& what);
  const webhook_target& target() const { return to_; }
  std::uint64_t delivered() const { return delivered_.load(std::memory_order_relaxed); }
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  struct delivery {
    std::string id;
    std::string event;
    std::string body;
    std::chrono::steady_clock::time_point deadline;
  };
  enum class outcome : std::uint8_t { taken, again, refused };

  void serve();
  bool next(delivery& into);
  void deliver(const delivery& what);
  outcome post(const delivery& what, std::string& problem, std::chrono::milliseconds& wait);
  /// False: there is no time for another attempt.
  bool pause(std::chrono::milliseconds time, std::chrono::steady_clock::time_point deadline);
  void lose(const delivery& what, const std::string& problem);

  const webhook_target to_;
  const std::string gateway_;
  telemetry::logger& log_;
  http::client client_;
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> lost_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<delivery> waiting_;
  std::uint64_t numbered_ = 0;
  bool stopping_ = false;
  std::chrono::steady_clock::time_point last_moment_{};  ///< while stopping
  runtime::owned_thread thread_;                         // last: it uses the others
};

}  // namespace trunkline::grants
