#include "main/terminal.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

namespace trunkline::main {

std::optional<std::size_t> columns_of(int stream) {
  winsize size{};
  if (::isatty(stream) == 0) return std::nullopt;
  if (::ioctl(stream, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return usual_columns;
  return size.ws_col;
}

end_signals::end_signals() {
  ::sigemptyset(&which_);
  for (const int each : {SIGINT, SIGTERM, SIGHUP})
    ::sigaddset(&which_, each);
}

bool end_signals::look() const {
  const timespec no_time{};
  return ::sigtimedwait(&which_, nullptr, &no_time) > 0;
}

}  // namespace trunkline::main
