#include "runtime/file_stamp.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace trunkline::runtime {

std::optional<file_stamp> stamp_of(const std::string& path) {
  struct stat facts{};
  if (stat(path.c_str(), &facts) != 0) return std::nullopt;
  const auto ns = [](const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  };
  return file_stamp{.device = facts.st_dev,
                    .inode = facts.st_ino,
                    .modified_ns = ns(facts.st_mtim),
                    .status_changed_ns = ns(facts.st_ctim),
                    .size_bytes = static_cast<std::uint64_t>(facts.st_size)};
}

std::string stamp_text(const std::string& path) {
  const auto made = stamp_of(path);
  if (!made) return "";
  return fmt::format("{} {} {} {} {}", made->device, made->inode, made->modified_ns, made->status_changed_ns,
                     made->size_bytes);
}

}  // namespace trunkline::runtime
