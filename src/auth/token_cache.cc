#include "auth/token_cache.h"

#include <cstring>
#include <utility>

namespace trunkline::auth {

std::size_t token_cache::name_hash::operator()(const digest& name) const {
  std::size_t value = 0;
  std::memcpy(&value, name.data(), sizeof value);
  return value;
}

digest token_cache::name_of(std::string_view token, std::string_view checked_by) {
  const digest rules = sha256({as_bytes(checked_by)});
  return sha256({rules, as_bytes(token)});
}

std::shared_ptr<const identity> token_cache::find(const digest& name, const digest& fingerprint,
                                                  wall_time now) {
  std::lock_guard lock(mutex_);
  const auto known = by_name_.find(name);
  if (known == by_name_.end()) return nullptr;
  const place at = known->second;
  if (now >= at->until || at->fingerprint != fingerprint) {
    forget(at);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, at);
  return at->who;
}

void token_cache::put(const digest& name, const digest& fingerprint, wall_time until,
                      std::shared_ptr<const identity> who) {
  if (capacity_ == 0) return;
  std::lock_guard lock(mutex_);
  if (const auto known = by_name_.find(name); known != by_name_.end()) forget(known->second);
  if (entries_.size() >= capacity_) forget(std::prev(entries_.end()));
  entries_.push_front({name, fingerprint, until, std::move(who)});
  by_name_[name] = entries_.begin();
}

std::size_t token_cache::size() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

void token_cache::forget(place which) {
  by_name_.erase(which->name);
  entries_.erase(which);
}

}  // namespace trunkline::auth
