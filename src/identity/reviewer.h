// Asks one Kubernetes API server whose tokens are (TokenReview), on threads of its own, so that an API server
// that hangs holds up nobody but those who wait for it, and these not for long. Owner: the desk. Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "auth/token_review.h"
#include "base/redacted.h"
#include "config/identity.h"
#include "http/http_client.h"
#include "runtime/work_pool.h"

namespace trunkline::identity {

class reviewer {
 public:
  explicit reviewer(const config::kubernetes_auth& of);
  reviewer(const reviewer&) = delete;
  reviewer& operator=(const reviewer&) = delete;
  ~reviewer() { stop(); }

  /// Blocks for limits::token_review_timeout at most: only in jobs of `threads`. An error: it could not be
  /// asked, or its answer is none.
  result<auth::token_verdict> ask(const secret_text& token);
  runtime::work_pool& threads() { return threads_; }
  /// Questions under way are given up; nobody is told any more.
  void stop();

 private:
  const std::string url_;
  const std::string token_file_;
  const std::vector<std::string> audiences_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<http::client>> all_;  ///< one for each thread
  std::vector<http::client*> free_;
  runtime::work_pool threads_;  // last: its jobs use the others
};

}  // namespace trunkline::identity
