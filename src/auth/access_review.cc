#include "auth/access_review.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/limits_kubernetes.h"

namespace trunkline::auth {

namespace {

std::unexpected<error> no_review(const char* what) {
  return fail({.message = std::string("the API server's answer ") + what});
}

/// For a log: without control characters, and not without end.
std::string plain_reason(const nlohmann::json& status) {
  std::string said;
  for (const char* const name : {"reason", "evaluationError"}) {
    const auto found = status.find(name);
    if (found == status.end() || !found->is_string()) continue;
    const auto& text = found->get_ref<const std::string&>();
    if (!text.empty()) said += (said.empty() ? "" : "; ") + text.substr(0, limits::rbac_reason_bytes);
  }
  std::replace_if(
      said.begin(), said.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return said;
}

bool is_true(const nlohmann::json& status, const char* name) {
  const auto found = status.find(name);
  return found != status.end() && *found == true;
}

}  // namespace

bool is_of_the_user(std::string_view extra_key) {
  return !extra_key.starts_with("authentication.kubernetes.io/");
}

std::string access_review_body(const identity& who, std::string_view verb, const reviewed_route& route) {
  nlohmann::json spec{{"user", who.principal},
                      {"groups", who.groups},
                      {"resourceAttributes",
                       {{"group", "trunkline.dev"},
                        {"version", "*"},
                        {"resource", "postgresroutes"},
                        {"namespace", route.name_space},
                        {"name", route.name},
                        {"verb", verb}}}};
  if (!who.uid.empty()) spec["uid"] = who.uid;
  for (const auto& [key, values] : who.extra)
    if (is_of_the_user(key)) spec["extra"][key] = values;
  const nlohmann::json made{
      {"apiVersion", "authorization.k8s.io/v1"}, {"kind", "SubjectAccessReview"}, {"spec", std::move(spec)}};
  return made.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

result<access_verdict> read_access_review(std::string_view answer) {
  const auto read = nlohmann::json::parse(answer, nullptr, false);
  if (!read.is_object()) return no_review("is not JSON");
  const auto kind = read.find("kind");
  if (kind == read.end() || *kind != "SubjectAccessReview") return no_review("is of another kind");
  const auto status = read.find("status");
  if (status == read.end() || !status->is_object()) return no_review("has no status");
  const auto allowed = status->find("allowed");
  if (allowed == status->end() || !allowed->is_boolean()) return no_review("says neither yes nor no");
  return access_verdict{.allowed = *allowed == true && !is_true(*status, "denied"),
                        .reason = plain_reason(*status)};
}

}  // namespace trunkline::auth
