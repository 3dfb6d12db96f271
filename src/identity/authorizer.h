// Asks one Kubernetes API server who may connect to which route (SubjectAccessReview), and again every few
// seconds for those who are connected: one question for a user and a route, whatever number of sessions they
// have. On a thread of its own, so that an API server that hangs holds up nobody but those who wait for it,
// and these not for long. Owner: the desk. Any thread.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "auth/identity.h"
#include "auth/sha256.h"
#include "config/identity.h"
#include "http/exchanges.h"
#include "identity/access_case.h"
#include "identity/review_counts.h"
#include "runtime/owned_thread.h"
#include "telemetry/logger.h"

namespace trunkline::identity {

class authorizer {
 public:
  /// `counts` and `log` outlive it.
  authorizer(const config::kubernetes_auth& of, review_counts& counts, telemetry::logger& log);
  authorizer(const authorizer&) = delete;
  authorizer& operator=(const authorizer&) = delete;
  ~authorizer();

  /// The case of this user and this route. Null: there are as many of them as may be.
  std::unique_ptr<access_hold> hold(const auth::identity& who, const config::rbac_object& route);
  /// `told` wakes when the case has another answer, or none is to be had: within twice
  /// limits::rbac_review_timeout. False: too many wait.
  bool ask(const std::shared_ptr<access_case>& which, runtime::remote_wake::caller told);
  /// Questions under way are given up; nobody is told any more.
  void stop();

 private:
  class part;
  class review;
  struct digest_hash {
    std::size_t operator()(const auth::digest& name) const;
  };
  using shared_case = std::shared_ptr<access_case>;

  void serve();
  bool begin_what_waits(moment now);
  void begin(shared_case which, bool again, moment now);
  void sweep(moment now);
  void forget_old(moment now);
  void conclude(review& which);
  void note_failure(const std::string& problem, moment now);
  void note_success(moment now);

  const std::string url_;
  const std::string token_file_;
  const std::string ca_file_;
  review_counts& counts_;
  telemetry::logger& log_;
  http::exchanges exchanges_;

  std::mutex mutex_;
  bool stopping_ = false;
  std::unordered_map<auth::digest, shared_case, digest_hash> cases_;
  std::deque<shared_case> urgent_;  ///< somebody waits to be let in

  // The thread's own.
  std::deque<shared_case> again_;
  std::vector<std::unique_ptr<review>> reviews_;
  moment swept_{};
  bool failing_ = false;
  moment failed_at_{};
  runtime::owned_thread thread_;  // last: it uses the others
};

}  // namespace trunkline::identity
