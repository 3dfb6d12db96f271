// All issuers and API servers that some route believes: each once, whatever number of routes and reloads
// refers to it, so that its keys need not be read again. What no configuration uses any more goes with
// `prune`, which waits for its threads: never on a worker's loop. Owner: main; its thread, but for what it
// makes, which is for any.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "auth/token_cache.h"
#include "base/result.h"
#include "config/settings.h"
#include "identity/issuer.h"
#include "identity/review_counts.h"
#include "identity/reviewer.h"
#include "identity/token_checker.h"

namespace trunkline::identity {

class desk {
 public:
  /// `log` outlives it.
  explicit desk(telemetry::logger& log);

  /// Null where the route takes no tokens. Errors name the file that is wrong.
  result<std::shared_ptr<const token_checker>> checker_of(const config::route_auth& auth);
  void prune();
  /// Nothing reports to a loop any more.
  void stop();
  /// Any thread.
  const review_counts& access_reviews() const { return reviews_; }

 private:
  result<> use_keys(const config::issuer_keys& from, const own_token& token, token_checker::parts& to);
  result<std::shared_ptr<const token_checker>> jwt_checker(const config::jwt_auth& of);
  result<std::shared_ptr<const token_checker>> kubernetes_checker(const config::kubernetes_auth& of);
  void use_api_server(const config::kubernetes_auth& of, token_checker::parts& to);
  static std::string name_of(const config::kubernetes_auth& of);

  telemetry::logger& log_;
  const std::shared_ptr<auth::token_cache> known_;
  std::map<std::string, std::shared_ptr<issuer>> issuers_;
  std::map<std::string, std::shared_ptr<reviewer>> reviewers_;
  review_counts reviews_;
  std::map<std::string, std::shared_ptr<authorizer>> authorizers_;
};

/// What `checker_of` would fail with, without asking anybody.
result<> check_key_files(const config::route_auth& auth);

}  // namespace trunkline::identity
