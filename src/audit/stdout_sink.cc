#include "audit/stdout_sink.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string>
#include <utility>

#include "audit/file_io.h"

namespace trunkline::audit {
namespace {

/// How long a reader may keep the audit waiting before that counts as a failure.
constexpr int patience_ms = 100;

bool is_regular(int descriptor) {
  struct stat facts{};
  return ::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode);
}

}  // namespace

stdout_sink::stdout_sink(std::string replica, int descriptor)
    : line_sink(std::move(replica)), descriptor_(descriptor), is_file_(is_regular(descriptor)) {}

/// The descriptor is shared with others and may not be made non-blocking. A pipe that is ready takes PIPE_BUF
/// bytes without blocking (pipe(7)).
bool stdout_sink::wait_for_room() const {
  pollfd wanted{descriptor_, POLLOUT, 0};
  return ::poll(&wanted, 1, patience_ms) == 1;
}

bool stdout_sink::write() {
  const std::string_view text = pending().text();
  while (written_ < text.size()) {
    if (!is_file_ && !wait_for_room()) {
      problem_ = "nobody reads standard output";
      return false;
    }
    const std::size_t most =
        is_file_ ? text.size() - written_ : std::min<std::size_t>(text.size() - written_, PIPE_BUF);
    const ssize_t count = ::write(descriptor_, text.data() + written_, most);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      problem_ = "cannot write to standard output: " + error_text(errno);
      return false;
    }
    written_ += static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace trunkline::audit
