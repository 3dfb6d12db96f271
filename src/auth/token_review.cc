#include "auth/token_review.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/limits.h"

namespace trunkline::auth {

namespace {

using json = nlohmann::json;

constexpr std::string_view account_prefix = "system:serviceaccount:";

std::unexpected<error> no_answer(const char* what) {
  return fail({.message = std::string("the API server's answer ") + what});
}

bool names_one(const json& text) {
  if (!text.is_string()) return false;
  const auto& value = text.get_ref<const std::string&>();
  return !value.empty() && value.size() <= limits::token_text_bytes &&
         std::none_of(value.begin(), value.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

/// An API server that knows nothing of audiences answers without any: that is no proof (TokenReviewSpec).
bool is_for_audience(const json& status, const std::vector<std::string>& wanted) {
  const auto found = status.find("audiences");
  return found != status.end() && found->is_array() &&
         std::any_of(found->begin(), found->end(), [&](const json& one) {
           return one.is_string() &&
                  std::find(wanted.begin(), wanted.end(), one.get_ref<const std::string&>()) != wanted.end();
         });
}

bool are_names(const json& texts) {
  return texts.is_array() && texts.size() <= limits::token_groups &&
         std::all_of(texts.begin(), texts.end(), names_one);
}

/// False: what it says is not of the kind that the API has.
bool read_extra(const json& user, identity& to) {
  if (const auto uid = user.find("uid"); uid != user.end() && *uid != "") {
    if (!names_one(*uid)) return false;
    to.uid = uid->get<std::string>();
  }
  const auto extra = user.find("extra");
  if (extra == user.end() || extra->is_null()) return true;
  if (!extra->is_object() || extra->size() > limits::token_groups) return false;
  for (const auto& [key, values] : extra->items()) {
    if (!names_one(json(key)) || !are_names(values)) return false;
    to.extra.emplace_back(key, values.get<std::vector<std::string>>());
  }
  return true;
}

void sort_groups(identity& who) {
  std::sort(who.groups.begin(), who.groups.end());
  who.groups.erase(std::unique(who.groups.begin(), who.groups.end()), who.groups.end());
}

}  // namespace

std::string token_review_body(std::string_view token, const std::vector<std::string>& audiences) {
  json made;
  made["apiVersion"] = "authentication.k8s.io/v1";
  made["kind"] = "TokenReview";
  made["spec"] = {{"token", token}, {"audiences", audiences}};
  return made.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<token_verdict> read_token_review(std::string_view answer, const std::vector<std::string>& audiences) {
  const json read = json::parse(answer, nullptr, false);
  if (!read.is_object()) return no_answer("is not JSON");
  const auto status = read.find("status");
  if (status == read.end() || !status->is_object()) return no_answer("has no status");
  const auto authenticated = status->find("authenticated");
  if (authenticated == status->end() || *authenticated != true)
    return token_verdict(token_refusal{.reason = "the API server does not know the token"});
  if (!is_for_audience(*status, audiences))
    return token_verdict(token_refusal{.reason = "the token is for another audience"});
  const auto user = status->find("user");
  if (user == status->end() || !user->is_object() || !user->contains("username") ||
      !names_one((*user)["username"]))
    return no_answer("names nobody");
  identity who{.principal = (*user)["username"].get<std::string>()};
  if (!who.principal.starts_with(account_prefix))
    return token_verdict(token_refusal{.reason = "the token is of no service account"});
  if (const auto groups = user->find("groups"); groups != user->end()) {
    if (!are_names(*groups)) return no_answer("has groups that are none, or too many");
    who.groups = groups->get<std::vector<std::string>>();
  }
  if (!read_extra(*user, who)) return no_answer("says more of the user that is nothing of the kind");
  sort_groups(who);
  return token_verdict(std::move(who));
}

token_verdict as_service_account(identity who) {
  const std::string_view principal = who.principal;
  const auto name = principal.substr(0, account_prefix.size()) == account_prefix
                        ? principal.substr(account_prefix.size())
                        : std::string_view();
  const auto colon = name.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == name.size() ||
      name.find(':', colon + 1) != std::string_view::npos)
    return token_refusal{.reason = "the token is of no service account"};
  who.groups = {"system:serviceaccounts", "system:serviceaccounts:" + std::string(name.substr(0, colon)),
                "system:authenticated"};
  sort_groups(who);
  return who;
}

}  // namespace trunkline::auth
