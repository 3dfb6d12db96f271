#include "audit/line_source.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/limits.h"

namespace trunkline::audit {

namespace {

constexpr std::size_t piece_bytes = 1024 * 1024;

}  // namespace

line_source::line_source(const std::string& path, std::uint64_t begin, std::uint64_t end, std::string& buffer)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
      buffer_(buffer),
      at_(begin),
      end_(end),
      given_(begin) {
  if (!file_) problem_ = errno;
}

std::string_view line_source::next_lines() {
  std::memmove(buffer_.data(), buffer_.data() + taken_, kept_);
  given_ += taken_;
  taken_ = 0;
  while (file_ && problem_ == 0 && at_ < end_) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(piece_bytes, end_ - at_));
    if (kept_ + want > limits::audit_line_bytes) {
      problem_ = EFBIG;
      break;
    }
    if (buffer_.size() < kept_ + want) buffer_.resize(std::max(kept_ + want, 2 * buffer_.size()));
    const ssize_t count = ::pread(file_.get(), buffer_.data() + kept_, want, static_cast<off_t>(at_));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) problem_ = errno;
    if (count <= 0) break;  // it became shorter
    const std::size_t before = kept_;
    kept_ += static_cast<std::size_t>(count);
    at_ += static_cast<std::uint64_t>(count);
    const std::size_t line_end = std::string_view(buffer_).substr(before, kept_ - before).rfind('\n');
    if (line_end == std::string_view::npos) continue;
    taken_ = before + line_end + 1;
    kept_ -= taken_;
    return std::string_view(buffer_).substr(0, taken_);
  }
  return {};
}

}  // namespace trunkline::audit
