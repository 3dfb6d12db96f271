#include "net/resolve.h"

#include <netdb.h>

#include <memory>

namespace trunkline::net {

result<std::vector<socket_address>> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); code != 0) {
    return fail({.source = error_source::gateway,
                 .reaction = error_reaction::retry,
                 .code = sqlstates::cannot_connect,
                 .message = "cannot resolve \"" + host + "\": " + ::gai_strerror(code)});
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::vector<socket_address> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    addresses.push_back(socket_address(each->ai_addr, each->ai_addrlen).with_port(port));
  }
  return addresses;
}

}  // namespace trunkline::net
