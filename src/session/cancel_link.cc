#include "session/cancel_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace trunkline::session {
namespace {

constexpr int streams_per_turn = 16;
constexpr std::size_t client_bytes_max = 128;

/// A message with room for one descriptor.
struct envelope {
  explicit envelope(std::size_t size) {
    piece = {text.data(), size};
    header.msg_iov = &piece;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
  }

  std::array<char, client_bytes_max> text{};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  iovec piece{};
  msghdr header{};
};

runtime::unique_fd descriptor_of(msghdr& message) {
  const cmsghdr* const part = CMSG_FIRSTHDR(&message);
  if (part == nullptr || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(part), sizeof fd);
  return runtime::unique_fd(fd);
}

}  // namespace

runtime::unique_fd elder_link::open_stream(std::string_view client) const {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
  runtime::unique_fd ours(ends[0]);
  const runtime::unique_fd theirs(ends[1]);
  envelope message(std::min(client.size(), client_bytes_max));
  std::memcpy(message.text.data(), client.data(), message.piece.iov_len);
  cmsghdr* const part = CMSG_FIRSTHDR(&message.header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = theirs.get();
  std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
  if (::sendmsg(link_.get(), &message.header, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return {};
  return ours;
}

void elder_link::say(std::string_view words) const {
  [[maybe_unused]] const auto sent =
      ::send(link_.get(), words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool elder_link::lives() const {
  char nothing = 0;  // it never says anything here
  return ::recv(link_.get(), &nothing, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

younger_door::younger_door(runtime::loop& where, runtime::unique_fd link, taker take, void* context)
    : link_(std::move(link)),
      take_(take),
      context_(context),
      watch_(where.watch_listener(link_.get(), *this)) {}

void younger_door::on_acceptable() {
  for (int i = 0; i < streams_per_turn; ++i) {
    envelope message(client_bytes_max);
    const ssize_t size = ::recvmsg(link_.get(), &message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return watch_.reset();  // the younger is gone
    if (auto socket = descriptor_of(message.header))
      take_(context_, socket.release(), std::string(message.text.data(), static_cast<std::size_t>(size)));
  }
}

}  // namespace trunkline::session
