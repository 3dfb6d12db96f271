#include "net/socket_address.h"

#include <arpa/inet.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace trunkline::net {

namespace {

/// As inet_ntop, which goes through printf: a login asks for it several times.
std::string ip4_text(const void* address) {
  std::array<unsigned char, 4> bytes;
  std::memcpy(bytes.data(), address, bytes.size());
  std::array<char, INET_ADDRSTRLEN> text;
  char* end = text.data();
  for (const unsigned char each : bytes) {
    if (end != text.data()) *end++ = '.';
    end = std::to_chars(end, text.data() + text.size(), each).ptr;
  }
  return {text.data(), end};
}

}  // namespace

socket_address::socket_address(const sockaddr* from, socklen_t length) {
  length_ = length <= sizeof storage_ ? length : static_cast<socklen_t>(sizeof storage_);
  std::memcpy(&storage_, from, length_);
}

result<socket_address> socket_address::ip(std::string_view ip, std::uint16_t port) {
  const std::string text(ip);
  socket_address made;
  if (::inet_pton(AF_INET, text.c_str(), &made.storage_.v4.sin_addr) == 1) {
    made.storage_.v4.sin_family = AF_INET;
    made.storage_.v4.sin_port = htons(port);
    made.length_ = sizeof(sockaddr_in);
    return made;
  }
  if (::inet_pton(AF_INET6, text.c_str(), &made.storage_.v6.sin6_addr) == 1) {
    made.storage_.v6.sin6_family = AF_INET6;
    made.storage_.v6.sin6_port = htons(port);
    made.length_ = sizeof(sockaddr_in6);
    return made;
  }
  return fail({.message = "\"" + text + "\" is not an IP address"});
}

result<socket_address> socket_address::unix_path(std::string_view path) {
  socket_address made;
  if (path.empty() || path.size() >= sizeof made.storage_.path.sun_path) {
    return fail({.message = "the path of a unix socket has 1 to 107 bytes: \"" + std::string(path) + "\""});
  }
  made.storage_.path.sun_family = AF_UNIX;
  std::memcpy(made.storage_.path.sun_path, path.data(), path.size());
  made.length_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return made;
}

socket_address socket_address::of_peer(int socket) {
  socket_address found;
  socklen_t length = sizeof found.storage_;
  if (::getpeername(socket, &found.storage_.any, &length) == 0) found.length_ = length;
  return found;
}

socket_address socket_address::of_self(int socket) {
  socket_address found;
  socklen_t length = sizeof found.storage_;
  if (::getsockname(socket, &found.storage_.any, &length) == 0) found.length_ = length;
  return found;
}

std::uint16_t socket_address::port() const {
  if (family() == AF_INET) return ntohs(storage_.v4.sin_port);
  if (family() == AF_INET6) return ntohs(storage_.v6.sin6_port);
  return 0;
}

socket_address socket_address::with_port(std::uint16_t port) const {
  socket_address copy = *this;
  if (family() == AF_INET) copy.storage_.v4.sin_port = htons(port);
  if (family() == AF_INET6) copy.storage_.v6.sin6_port = htons(port);
  return copy;
}

std::string socket_address::host_text() const {
  if (family() == AF_INET) return ip4_text(&storage_.v4.sin_addr);
  if (family() == AF_INET6) {
    const auto& address = storage_.v6.sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&address)) return ip4_text(address.s6_addr + 12);
    char text[INET6_ADDRSTRLEN] = {};
    return ::inet_ntop(AF_INET6, &address, text, sizeof text);
  }
  if (family() == AF_UNIX && length_ > offsetof(sockaddr_un, sun_path) && storage_.path.sun_path[0] != '\0') {
    return storage_.path.sun_path;
  }
  return family() == AF_UNIX ? "unix" : "";
}

std::string socket_address::text() const {
  const std::string host = host_text();
  if (family() == AF_UNIX) return host == "unix" ? host : "unix:" + host;
  if (host.empty()) return "unknown";
  const bool brackets = host.find(':') != std::string::npos;
  return (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port());
}

}  // namespace trunkline::net
