#include "audit/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace trunkline::audit {

file_io& file_io::real() {
  static file_io plain;
  return plain;
}

int file_io::open_folder(const std::string& path, runtime::unique_fd& folder) {
  folder = runtime::unique_fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder ? 0 : errno;
}

int file_io::create(int folder, const std::string& name, runtime::unique_fd& file) {
  file = runtime::unique_fd(
      ::openat(folder, name.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  return file ? 0 : errno;
}

int file_io::write(int file, std::string_view bytes, std::size_t& written) {
  written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(file, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) return EIO;
    written += static_cast<std::size_t>(count);
  }
  return 0;
}

int file_io::reserve(int file, std::uint64_t from, std::uint64_t bytes) {
  const auto begin = static_cast<off_t>(from);
  return ::fallocate(file, FALLOC_FL_KEEP_SIZE, begin, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
}

int file_io::truncate(int file, std::uint64_t size) {
  return ::ftruncate(file, static_cast<off_t>(size)) == 0 ? 0 : errno;
}

int file_io::sync_data(int file) {
  return ::fdatasync(file) == 0 ? 0 : errno;
}

int file_io::sync(int folder) {
  return ::fsync(folder) == 0 ? 0 : errno;
}

bool file_io::is_linked(int file) {
  struct stat facts{};
  return ::fstat(file, &facts) == 0 && facts.st_nlink > 0;
}

std::string error_text(int code) {
  return std::generic_category().message(code);
}

}  // namespace trunkline::audit
