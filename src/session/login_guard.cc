#include "session/login_guard.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace trunkline::session {

namespace {

/// No source has a NUL in it, so that no user can pass for another source.
std::string pair_of(std::string_view source, std::string_view user) {
  return std::string(source) + '\0' + std::string(user.substr(0, limits::config_name_bytes));
}

}  // namespace

runtime::duration login_guard::owed(const std::string& name, runtime::duration free,
                                    runtime::time_point now) const {
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return {};
  return std::max<runtime::duration>(known->second->paid - now - free, {});
}

std::optional<runtime::duration> login_guard::wait(std::string_view source, std::string_view user,
                                                   runtime::time_point now) const {
  std::lock_guard lock(mutex_);
  const auto of_user = owed(pair_of(source, user), limits::login_failures * limits::login_failure_wait, now);
  const auto of_source = owed(std::string(source),
                              limits::login_failures_per_source * limits::login_failure_wait_per_source, now);
  const auto longer = std::max(of_user, of_source);
  if (longer > limits::login_wait_most) return std::nullopt;
  return longer;
}

void login_guard::failed(std::string_view source, std::string_view user, runtime::time_point now) {
  std::lock_guard lock(mutex_);
  add(pair_of(source, user), limits::login_failure_wait, now);
  add(std::string(source), limits::login_failure_wait_per_source, now);
}

void login_guard::add(std::string name, runtime::duration cost, runtime::time_point now) {
  auto known = by_name_.find(name);
  if (known == by_name_.end()) {
    if (suspects_.size() >= limits::login_suspects) {
      by_name_.erase(suspects_.back().name);
      suspects_.pop_back();
    }
    suspects_.push_front({name, now});
    known = by_name_.emplace(std::move(name), suspects_.begin()).first;
  } else {
    suspects_.splice(suspects_.begin(), suspects_, known->second);
  }
  auto& paid = known->second->paid;
  paid = std::min(std::max(paid, now) + cost, now + limits::login_debt_most);
}

std::size_t login_guard::suspects() const {
  std::lock_guard lock(mutex_);
  return suspects_.size();
}

}  // namespace trunkline::session
