#include "session/admission.h"

namespace trunkline::session {

admission::place admission::enter(std::string key, std::size_t limit) {
  std::lock_guard lock(mutex_);
  const auto [entry, fresh] = counts_.try_emplace(key, 0);
  if (entry->second >= limit) {
    if (fresh) counts_.erase(entry);
    return {};
  }
  ++entry->second;
  return {this, std::move(key)};
}

void admission::leave(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto entry = counts_.find(key);
  if (--entry->second == 0) counts_.erase(entry);
}

std::size_t admission::count(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto entry = counts_.find(key);
  return entry == counts_.end() ? 0 : entry->second;
}

}  // namespace trunkline::session
