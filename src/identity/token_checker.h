// How the tokens of one route are checked: by an issuer's keys, by a Kubernetes API server, or by both. What
// takes time is left to the caller, who knows where it may be done. Immutable, but for what is remembered;
// any thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "auth/token.h"
#include "auth/token_cache.h"
#include "identity/issuer.h"
#include "identity/reviewer.h"

namespace trunkline::identity {

class authorizer;

class token_checker {
 public:
  struct parts {
    auth::token_rules rules = {};                 ///< of tokens that are checked by signature
    std::shared_ptr<issuer> keys_from = nullptr;  ///< null: the keys are fixed, or there are none
    std::shared_ptr<const auth::key_set> fixed_keys = nullptr;   ///< of a file
    std::shared_ptr<identity::reviewer> reviewer = nullptr;      ///< null: no API server is asked
    std::shared_ptr<identity::authorizer> authorizer = nullptr;  ///< null: RBAC is not asked
    bool service_accounts = false;                               ///< nobody else counts
    std::shared_ptr<auth::token_cache> known = nullptr;
    std::string text = {};  ///< of all that decides, to tell one checker's verdicts from another's
  };
  explicit token_checker(parts of) : parts_(std::move(of)) {}

  /// Whose it is, where it was found to be good and nothing has changed since; null: it must be checked.
  /// Takes microseconds.
  std::shared_ptr<const auth::identity> remembered(std::string_view token, auth::wall_time now) const;
  /// `keys`: that it was checked with; nothing where an API server has said so.
  std::shared_ptr<const auth::identity> remember(std::string_view token, auth::identity who,
                                                 const auth::digest& keys, auth::wall_time now) const;

  bool checks_signatures() const { return parts_.keys_from != nullptr || parts_.fixed_keys != nullptr; }
  struct checked {
    auth::token_verdict verdict;
    auth::digest keys;  ///< their fingerprint
  };
  /// By the keys that are known. Up to 0.3 ms: off the loop.
  checked check(std::string_view token, auth::wall_time now) const;
  /// Whose it is, for a thread that may wait: an issuer that has to be asked for newer keys has so long.
  /// Null: not good. Precondition: signatures are what it checks.
  std::shared_ptr<const auth::identity> judge(std::string_view token,
                                              std::chrono::milliseconds patience) const;
  /// Null: newer keys are not to be had.
  issuer* keys_from() const { return parts_.keys_from.get(); }
  /// Null: no API server is asked. Otherwise its word comes first.
  identity::reviewer* reviewer() const { return parts_.reviewer.get(); }
  /// Null: RBAC is not asked who may have the route.
  identity::authorizer* authorizer() const { return parts_.authorizer.get(); }

 private:
  std::shared_ptr<const auth::key_set> known_keys() const;

  const parts parts_;
};

}  // namespace trunkline::identity
