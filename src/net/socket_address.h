// A socket's address: IPv4, IPv6 or unix. Value type; any thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace trunkline::net {

class socket_address {
 public:
  socket_address() = default;
  socket_address(const sockaddr* from, socklen_t length);
  /// `ip` is a literal, without brackets.
  static result<socket_address> ip(std::string_view ip, std::uint16_t port);
  static result<socket_address> unix_path(std::string_view path);
  /// The address of the peer (or of this end) of a connected socket; empty where the kernel tells none.
  static socket_address of_peer(int socket);
  static socket_address of_self(int socket);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const { return length_; }
  int family() const { return length_ == 0 ? AF_UNSPEC : storage_.any.sa_family; }
  bool is_unix() const { return family() == AF_UNIX; }
  std::uint16_t port() const;
  /// The same address (scope and all) with another port; a unix address as it is.
  socket_address with_port(std::uint16_t port) const;
  /// Without a port: "10.1.2.3", "2001:db8::1" (IPv4-mapped as IPv4), "unix" or a path.
  std::string host_text() const;
  /// With a port where there is one: "10.1.2.3:5432", "[2001:db8::1]:5432", "unix:/path".
  std::string text() const;

 private:
  union {
    sockaddr_un path;  // the largest comes first: `{}` zeroes the first member and no byte beyond it
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  } storage_{};
  socklen_t length_ = 0;
};

}  // namespace trunkline::net
