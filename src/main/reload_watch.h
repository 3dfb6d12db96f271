// Notices that a file of the configuration was replaced: an editor's rename, or Kubernetes swapping the
// symlink
// `..data` of a mounted Secret. Polled (once a second, by the control thread that owns it): inotify watches
// names that a swap of a parent's symlink never touches. No thread of its own; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/file_stamp.h"

namespace trunkline::main {

using file_fingerprint = runtime::file_stamp;

class reload_watch {
 public:
  /// Nothing where there is no such file, or no access to it.
  using look = std::function<std::optional<file_fingerprint>(const std::string&)>;

  /// Polls for which a file may be missing before that counts as a change.
  static constexpr int missing_polls_max = 5;

  explicit reload_watch(look how = runtime::stamp_of) : look_(std::move(how)) {}

  /// From now on these files (config::loaded::referenced_files). What is known of a file that stays is kept,
  /// so that a change between the last poll and this call is not lost.
  void watch(const std::vector<std::string>& files);

  /// True once for each change. It is told when two polls in a row saw the same new state of all files, so
  /// that a certificate is not read without its key; and a file that is gone for a moment only counts when it
  /// is back.
  bool poll();

 private:
  using state = std::map<std::string, std::optional<file_fingerprint>>;

  state look_at_all() const;

  look look_;
  state accepted_;
  state last_;
  int missing_polls_ = 0;
};

}  // namespace trunkline::main
