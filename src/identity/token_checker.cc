#include "identity/token_checker.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/limits.h"

namespace trunkline::identity {

namespace {

auth::digest fingerprint_of(const auth::key_set* keys) {
  return keys == nullptr ? auth::digest{} : keys->fingerprint();
}

}  // namespace

std::shared_ptr<const auth::key_set> token_checker::known_keys() const {
  return parts_.keys_from != nullptr ? parts_.keys_from->keys() : parts_.fixed_keys;
}

std::shared_ptr<const auth::identity> token_checker::remembered(std::string_view token,
                                                                auth::wall_time now) const {
  // An API server's word does not depend on keys of ours.
  const auto keys = parts_.reviewer != nullptr ? auth::digest{} : fingerprint_of(known_keys().get());
  return parts_.known->find(auth::token_cache::name_of(token, parts_.text), keys, now);
}

std::shared_ptr<const auth::identity> token_checker::remember(std::string_view token, auth::identity who,
                                                              const auth::digest& keys,
                                                              auth::wall_time now) const {
  auth::wall_time until = who.until.value_or(now + limits::token_review_believed);
  // An API server may change its mind, as when the pod is gone; and it is asked again soon where it could not
  // be reached.
  if (parts_.reviewer != nullptr) until = std::min(until, now + limits::token_review_believed);
  auto made = std::make_shared<const auth::identity>(std::move(who));
  const auto by = parts_.reviewer != nullptr ? auth::digest{} : keys;
  parts_.known->put(auth::token_cache::name_of(token, parts_.text), by, until, made);
  return made;
}

token_checker::checked token_checker::check(std::string_view token, auth::wall_time now) const {
  const auto keys = known_keys();
  checked made{auth::check_token(token, parts_.rules, keys.get(), now), fingerprint_of(keys.get())};
  if (auto* who = std::get_if<auth::identity>(&made.verdict); who != nullptr && parts_.service_accounts)
    made.verdict = auth::as_service_account(auth::identity(std::move(*who)));
  return made;
}

std::shared_ptr<const auth::identity> token_checker::judge(std::string_view token,
                                                           std::chrono::milliseconds patience) const {
  const auto wall_now = [] { return std::chrono::system_clock::now(); };
  if (auto known = remembered(token, wall_now())) return known;
  for (bool again = false;; again = true) {
    auto found = check(token, wall_now());
    if (auto* who = std::get_if<auth::identity>(&found.verdict))
      return remember(token, std::move(*who), found.keys, wall_now());
    const bool newer_keys_may_do = std::get<auth::token_refusal>(found.verdict).key_is_unknown;
    if (again || !newer_keys_may_do || parts_.keys_from == nullptr) return nullptr;
    if (!parts_.keys_from->ask_and_wait(patience)) return nullptr;
  }
}

}  // namespace trunkline::identity
