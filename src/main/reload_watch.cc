#include "main/reload_watch.h"

#include <algorithm>

namespace trunkline::main {

void reload_watch::watch(const std::vector<std::string>& files) {
  state kept;
  for (const auto& file : files) {
    const auto known = accepted_.find(file);
    kept[file] = known == accepted_.end() ? look_(file) : known->second;
  }
  accepted_ = std::move(kept);
  last_ = accepted_;
  missing_polls_ = 0;
}

reload_watch::state reload_watch::look_at_all() const {
  state now;
  for (const auto& [file, unused] : accepted_)
    now[file] = look_(file);
  return now;
}

bool reload_watch::poll() {
  auto now = look_at_all();
  const bool newly_missing = std::any_of(now.begin(), now.end(), [&](const auto& entry) {
    return !entry.second && accepted_.at(entry.first).has_value();
  });
  missing_polls_ = newly_missing ? missing_polls_ + 1 : 0;
  const bool settled = now == last_ && (!newly_missing || missing_polls_ >= missing_polls_max);
  last_ = std::move(now);
  if (!settled || last_ == accepted_) return false;
  accepted_ = last_;
  missing_polls_ = 0;
  return true;
}

}  // namespace trunkline::main
