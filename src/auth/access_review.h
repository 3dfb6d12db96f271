// What a Kubernetes API server is asked about what somebody may do, and what it answers (API
// authorization.k8s.io/v1, SubjectAccessReview). Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "auth/identity.h"
#include "base/result.h"

namespace trunkline::auth {

/// A route in RBAC's sense: a PostgresRoute of that name, whether or not there is such an object.
struct reviewed_route {
  std::string_view name_space;
  std::string_view name;
};

/// What of an API server's word about a user goes back to it: not what only tells one token of a service
/// account from another (its pod, its node, its id), so that all pods of an account are one question.
bool is_of_the_user(std::string_view extra_key);

std::string access_review_body(const identity& who, std::string_view verb, const reviewed_route& route);

struct access_verdict {
  bool allowed = false;
  std::string reason = {};  ///< the API server's, for log and audit; cut short
};

/// An error where the answer is none: nothing follows from it. A "no" is one, whatever else went wrong with
/// it at the API server: who has lost a right because a Role is gone is answered so.
result<access_verdict> read_access_review(std::string_view answer);

}  // namespace trunkline::auth
