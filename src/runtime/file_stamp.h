// What tells one state of a file from another, without reading it. Any thread; asks the file system.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace trunkline::runtime {

/// Symlinks are followed. Times are nanoseconds.
struct file_stamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t modified_ns = 0;
  std::int64_t status_changed_ns = 0;  ///< also a chmod that makes it readable
  std::uint64_t size_bytes = 0;
  bool operator==(const file_stamp&) const = default;
};

/// Nothing where there is no such file, or no access to it.
std::optional<file_stamp> stamp_of(const std::string& path);
/// The same as one text, for keys; empty where there is none.
std::string stamp_text(const std::string& path);

}  // namespace trunkline::runtime
