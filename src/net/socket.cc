#include "net/socket.h"

#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace trunkline::net {
namespace {

error system_error(const std::string& what, int code) {
  return {.code = sqlstates::cannot_connect, .message = what + ": " + std::strerror(code)};
}

void set(int socket, int level, int option, int value) {
  ::setsockopt(socket, level, option, &value, sizeof value);
}

/// A socket file is left behind by a process that was killed: nobody answers there.
void remove_stale(const socket_address& where) {
  struct stat status{};
  const std::string path = where.host_text();
  if (::stat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
  const runtime::unique_fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), where.get(), where.length()) != 0 && errno == ECONNREFUSED)
    ::unlink(path.c_str());
}

}  // namespace

result<runtime::unique_fd> make_socket(const socket_address& to) {
  runtime::unique_fd fd(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(system_error("cannot make a socket", errno));
  return fd;
}

result<runtime::unique_fd> listen_on(const socket_address& where) {
  auto fd = make_socket(where);
  if (!fd) return fd;
  if (where.is_unix()) {
    remove_stale(where);
  } else {
    set(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);
    if (where.family() == AF_INET6) {
      // [::] also takes IPv4, as most servers do; a specific IPv6 address does not.
      set(fd->get(), IPPROTO_IPV6, IPV6_V6ONLY, where.host_text() == "::" ? 0 : 1);
    }
  }
  if (::bind(fd->get(), where.get(), where.length()) != 0) {
    return fail(system_error("cannot bind " + where.text(), errno));
  }
  if (::listen(fd->get(), SOMAXCONN) != 0)
    return fail(system_error("cannot listen on " + where.text(), errno));
  return fd;
}

void apply_options(int socket, const socket_options& options) {
  if (socket_address::of_self(socket).is_unix()) return;
  set(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.keepalive_idle.count() > 0) {
    set(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(socket, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(options.keepalive_idle.count()));
    if (options.keepalive_interval.count() > 0) {
      set(socket, IPPROTO_TCP, TCP_KEEPINTVL, static_cast<int>(options.keepalive_interval.count()));
    }
    if (options.keepalive_probes > 0) set(socket, IPPROTO_TCP, TCP_KEEPCNT, options.keepalive_probes);
  }
  if (options.user_timeout.count() > 0) {
    set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(options.user_timeout.count()));
  }
}

void set_user_timeout(int socket, std::chrono::milliseconds timeout) {
  if (socket >= 0) set(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout.count()));
}

std::optional<tcp_facts> read_tcp_facts(int socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (socket < 0 || ::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  return tcp_facts{.rtt = std::chrono::microseconds(info.tcpi_rtt),
                   .retransmits = info.tcpi_total_retrans,
                   .unacked = info.tcpi_unacked,
                   .since_last_data = std::chrono::milliseconds(info.tcpi_last_data_recv),
                   .probes = info.tcpi_probes};
}

}  // namespace trunkline::net
