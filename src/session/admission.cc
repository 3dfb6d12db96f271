#include "session/admission.h"

namespace trunkline::session {

admission::place admission::enter(std::string key, std::size_t limit) {
  std::lock_guard lock(mutex_);
  const auto [entry, fresh] = counts_.try_emplace(std::move(key), this, 0);
  if (entry->second.taken >= limit) {
    if (fresh) counts_.erase(entry);
    return {};
  }
  ++entry->second.taken;
  return place(*entry);
}

void admission::leave(counts::value_type& of) {
  std::lock_guard lock(mutex_);
  if (--of.second.taken == 0) counts_.erase(counts_.find(of.first));
}

std::size_t admission::count(const std::string& key) const {
  std::lock_guard lock(mutex_);
  const auto entry = counts_.find(key);
  return entry == counts_.end() ? 0 : entry->second.taken;
}

}  // namespace trunkline::session
