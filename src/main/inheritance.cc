#include "main/inheritance.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace trunkline::main {
namespace {

bool listens(int fd) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0;
}

}  // namespace

result<inheritance> inheritance::take() {
  inheritance made;
  const char* const text = std::getenv(handover_variable);
  if (text == nullptr) return made;
  const auto note = decode_handover(text);
  ::unsetenv(handover_variable);
  if (!note) return fail(note.error());
  const auto own = [](int fd) { return ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0; };
  if (!own(note->link)) {
    return fail(
        {.message = fmt::format("{} names descriptors that are not there: it is set by a gateway that "
                                "hands over, and by nobody else",
                                handover_variable)});
  }
  made.elder_ = std::make_unique<session::elder_link>(runtime::unique_fd(note->link));
  for (const handed_socket& each : note->sockets) {
    if (!own(each.fd) || !listens(each.fd)) continue;  // it is opened anew, or the reason why not is told
    made.facts_.push_back(each);
    made.fds_.emplace_back(each.fd);
  }
  return made;
}

std::optional<runtime::unique_fd> inheritance::socket(socket_use use, std::string_view name,
                                                      const config::address& address) {
  const std::size_t at = find_handed(facts_, use, name, address.text());
  if (at == facts_.size()) return std::nullopt;
  runtime::unique_fd found = std::move(fds_[at]);
  facts_.erase(facts_.begin() + static_cast<std::ptrdiff_t>(at));
  fds_.erase(fds_.begin() + static_cast<std::ptrdiff_t>(at));
  return found;
}

void inheritance::ready() {
  if (elder_ != nullptr) elder_->say(ready_word);
  for (const handed_socket& each : facts_) {
    constexpr std::string_view file = "unix:";
    if (each.address.starts_with(file)) ::unlink(each.address.c_str() + file.size());
  }
  facts_.clear();
  fds_.clear();
}

void inheritance::failed(std::string_view why) const {
  if (elder_ != nullptr) elder_->say(std::string(failed_word) + std::string(why));
}

}  // namespace trunkline::main
