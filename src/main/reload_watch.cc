#include "main/reload_watch.h"

#include <sys/stat.h>

#include <algorithm>

namespace trunkline::main {

std::optional<file_fingerprint> reload_watch::look_at_file(const std::string& path) {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return std::nullopt;
  const auto ns = [](const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return file_fingerprint{.device = facts.st_dev,
                          .inode = facts.st_ino,
                          .modified_ns = ns(facts.st_mtim),
                          .status_changed_ns = ns(facts.st_ctim),
                          .size_bytes = static_cast<std::uint64_t>(facts.st_size)};
}

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
