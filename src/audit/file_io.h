// The system calls that put lines on a disk, as one object, so that a test can make each of them fail. The
// functions answer an errno value, 0 where all is well. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/unique_fd.h"

namespace trunkline::audit {

class file_io {
 public:
  virtual ~file_io() = default;

  /// The system's own.
  static file_io& real();

  virtual int open_folder(const std::string& path, runtime::unique_fd& folder);
  /// A new file that only its owner may read, to be appended to.
  virtual int create(int folder, const std::string& name, runtime::unique_fd& file);
  /// `written` says how much of it went in, also where it failed.
  virtual int write(int file, std::string_view bytes, std::size_t& written);
  /// Room on the disk for what will be appended; the file stays as long as it is.
  virtual int reserve(int file, std::uint64_t from, std::uint64_t bytes);
  /// Gives back what was reserved, too.
  virtual int truncate(int file, std::uint64_t size);
  virtual int sync_data(int file);
  virtual int sync(int folder);
  /// Whether the open file still has a name.
  virtual bool is_linked(int file);
};

/// "No space left on device".
std::string error_text(int code);

}  // namespace trunkline::audit
