#include "pool/prepared_set.h"

#include <utility>

namespace trunkline::pool {

bool prepared_set::use(std::uint64_t id, std::uint64_t epoch) {
  const auto at = places_.find(id);
  if (at == places_.end() || at->second->epoch < epoch) return false;
  entries_.splice(entries_.end(), entries_, at->second);
  return true;
}

void prepared_set::add(const statement& which, std::uint64_t epoch) {
  remove(which.id);
  entries_.push_back({which.id, epoch, which.name});
  places_[which.id] = std::prev(entries_.end());
}

void prepared_set::remove(std::uint64_t id) {
  const auto at = places_.find(id);
  if (at == places_.end()) return;
  entries_.erase(at->second);
  places_.erase(at);
}

void prepared_set::clear() {
  entries_.clear();
  places_.clear();
}

std::optional<std::string> prepared_set::evict(std::size_t limit) {
  if (entries_.size() <= limit) return std::nullopt;
  entry oldest = std::move(entries_.front());
  entries_.pop_front();
  places_.erase(oldest.id);
  return std::move(oldest.name);
}

}  // namespace trunkline::pool
