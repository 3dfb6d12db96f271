// What a Kubernetes API server is asked about a service account's token, and what it answers (API
// authentication.k8s.io/v1, TokenReview). Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "auth/token.h"
#include "base/result.h"

namespace trunkline::auth {

/// The body holds the token: a secret.
std::string token_review_body(std::string_view token, const std::vector<std::string>& audiences);

/// The API server's verdict; an error where its answer is none. `until` is left to the caller.
result<token_verdict> read_token_review(std::string_view answer, const std::vector<std::string>& audiences);

/// What the API server would say of whose signature was checked without it: the groups that every service
/// account is in. Refused where the principal is no service account.
token_verdict as_service_account(identity who);

}  // namespace trunkline::auth
