// The keys of one token issuer, as it publishes them: read at the start and again before they are old, by a
// thread of its own, so that an issuer that hangs holds up nobody. Logins use the last good ones, whatever
// happens meanwhile; only a login whose token is signed with a key that is not among them waits for the next
// answer (OpenID Connect Discovery 1.0, RFC 7517). Owner: the desk. Any thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "auth/key_set.h"
#include "base/result.h"
#include "config/identity.h"
#include "http/http_client.h"
#include "runtime/loop.h"
#include "runtime/owned_thread.h"
#include "runtime/signal.h"
#include "telemetry/logger.h"

namespace trunkline::identity {

/// A coroutine's wait for an issuer's answer:
///
///     question asked(loop, changed);
///     if (issuer.ask(asked)) while (!asked.answered()) co_await changed.wait();
///
/// Owner: one loop thread; destroying it is fine at any time.
class question {
 public:
  question(runtime::loop& where, runtime::signal& changed);
  question(const question&) = delete;
  question& operator=(const question&) = delete;
  ~question() { state_->changed = nullptr; }

  bool answered() const { return state_->answered; }

 private:
  friend class issuer;
  struct state {
    runtime::loop* where = nullptr;
    runtime::signal* changed = nullptr;  ///< as `answered`, touched on the loop's thread only
    bool answered = false;
  };

  std::shared_ptr<state> state_;
};

/// The gateway's own token, for a server that gives its keys to nobody without one.
struct own_token {
  std::string file = {};  ///< read each time; empty: none
  std::string host = {};  ///< "https://kubernetes.default.svc": it is shown to no other
};

class issuer {
 public:
  /// `from` has keys that are fetched (precondition). `log` outlives it.
  issuer(config::issuer_keys from, own_token token, telemetry::logger& log);
  issuer(const issuer&) = delete;
  issuer& operator=(const issuer&) = delete;
  ~issuer() { stop(); }

  struct sight {
    std::shared_ptr<const auth::key_set> keys;  ///< null: there are none, or they are too old
    std::string problem;                        ///< of the last attempt; empty: it went well, or is the first
  };
  sight look() const;
  std::shared_ptr<const auth::key_set> keys() const { return look().keys; }
  /// The issuer is asked again, and `by` is told when that is over, for good or ill. False: it has been asked
  /// too often just now; what is known is all there is.
  bool ask(question& by);
  /// The same of a thread that may wait; at most so long.
  bool ask_and_wait(std::chrono::milliseconds most);
  /// A request under way is given up; nobody is told any more.
  void stop();

 private:
  using time_point = std::chrono::steady_clock::time_point;

  bool begin_asking();
  void serve();
  result<auth::key_set> fetch();
  result<std::string> find_keys(time_point deadline);
  result<std::string> get(const std::string& url, time_point deadline);
  void take(result<auth::key_set> answer, time_point now);
  void tell(bool worked, const std::string& problem);

  const config::issuer_keys from_;
  const own_token token_;
  telemetry::logger& log_;
  http::client client_;  // the thread's
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::condition_variable answered_;
  std::uint64_t answers_ = 0;
  std::shared_ptr<const auth::key_set> keys_;
  time_point read_at_{};
  time_point next_{};
  time_point questions_paid_{};  ///< see ask
  std::chrono::milliseconds retry_;
  std::string problem_;
  bool asked_ = false;
  bool fetching_ = false;
  bool stopping_ = false;
  std::vector<std::shared_ptr<question::state>> waiting_;
  runtime::owned_thread thread_;  // last: it uses the others
};

}  // namespace trunkline::identity
