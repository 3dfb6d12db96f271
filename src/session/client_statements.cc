#include "session/client_statements.h"

#include <utility>

#include "base/limits.h"

namespace trunkline::session {

const client_statements::entry& client_statements::find(std::string_view name) const {
  static const entry none;
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? none : at->second;
}

void client_statements::put(std::string_view name, entry which) {
  const auto at = by_name_.find(name);
  if (at != by_name_.end()) {
    bytes_ -= at->second->content.size();
    if (which == nullptr) {
      by_name_.erase(at);
      return;
    }
    bytes_ += which->content.size();
    at->second = std::move(which);
  } else if (which != nullptr) {
    bytes_ += which->content.size();
    by_name_.emplace(std::string(name), std::move(which));
  }
}

void client_statements::add(std::string_view name, entry which, std::uint64_t request) {
  changes_.push_back({request, std::string(name), find(name)});
  put(name, std::move(which));
}

void client_statements::remove(std::string_view name, std::uint64_t request) {
  if (find(name) == nullptr) return;
  changes_.push_back({request, std::string(name), find(name)});
  put(name, nullptr);
}

void client_statements::clear() {
  by_name_.clear();
  changes_.clear();
  bytes_ = 0;
}

void client_statements::take_back(std::uint64_t from_request, std::uint64_t sync) {
  for (auto each = changes_.rbegin(); each != changes_.rend(); ++each) {
    const bool skipped = each->request >= from_request && (sync == 0 || each->request < sync);
    if (skipped) put(each->name, std::move(each->before));
  }
  std::erase_if(changes_, [&](const change& each) {
    return each.request >= from_request && (sync == 0 || each.request < sync);
  });
}

bool client_statements::within_limits() const {
  return by_name_.size() <= limits::prepared_per_session && bytes_ <= limits::prepared_bytes_per_session;
}

}  // namespace trunkline::session
