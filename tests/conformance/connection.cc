#include "connection.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace trunkline::conformance {

using namespace std::chrono_literals;

connection::connection(const std::string& socket_path, const std::string& user, const std::string& database) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path)
    throw std::runtime_error("the socket's path is too long");
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to " + socket_path + ": " + std::strerror(errno));
  }
  protocol::byte_buffer startup;
  protocol::message_writer{startup}
      .u32(3 << 16)
      .text("user")
      .text(user)
      .text("database")
      .text(database)
      .u8(0);
  write(startup);
  for (;;) {
    const auto message = read(10s);
    if (!message || message->type == 'E') throw std::runtime_error("the server does not let us in");
    if (message->type == 'Z') return;
  }
}

connection::~connection() {
  if (fd_ >= 0) ::close(fd_);
}

void connection::write(byte_span bytes) {
  while (!bytes.empty() && !closed_) {
    if ((wait_for(POLLIN | POLLOUT, 10s) & POLLOUT) == 0) continue;
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno != EAGAIN) return;
    if (count > 0) bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

std::optional<server_message> connection::read(std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  while (messages_.empty() && !closed_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (wait_for(POLLIN, std::max(left, 0ms)) == 0 && left <= 0ms) return std::nullopt;
  }
  if (messages_.empty()) return std::nullopt;
  server_message first = std::move(messages_.front());
  messages_.pop_front();
  return first;
}

short connection::wait_for(short events, std::chrono::milliseconds wait) {
  pollfd ready{.fd = fd_, .events = events, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(wait.count())) <= 0) return 0;
  if ((ready.revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive();
  return ready.revents;
}

void connection::receive() {
  std::array<std::byte, 65536> chunk;
  const ssize_t count = ::recv(fd_, chunk.data(), chunk.size(), MSG_DONTWAIT);
  if (count > 0) {
    input_.insert(input_.end(), chunk.begin(), chunk.begin() + count);
    parse();
  } else if (count == 0 || errno != EAGAIN) {
    closed_ = true;
  }
}

void connection::parse() {
  std::size_t at = 0;
  while (input_.size() - at >= 5) {
    const std::size_t length = load_u32(input_.data() + at + 1);
    if (input_.size() - at < 1 + length) break;
    const auto body = input_.begin() + static_cast<std::ptrdiff_t>(at);
    messages_.push_back(
        {static_cast<char>(input_[at]), {body + 5, body + 1 + static_cast<std::ptrdiff_t>(length)}});
    at += 1 + length;
  }
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(at));
}

}  // namespace trunkline::conformance
