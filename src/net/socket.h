// System calls on sockets that are not on the hot path: making them, their options, what the kernel knows of
// them. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "net/socket_address.h"
#include "runtime/unique_fd.h"

namespace trunkline::net {

/// wire.md 7. Zero leaves the respective option to the system.
struct socket_options {
  std::chrono::seconds keepalive_idle{0};
  std::chrono::seconds keepalive_interval{0};
  int keepalive_probes = 0;
  std::chrono::milliseconds user_timeout{0};
};

/// A non-blocking stream socket for this kind of address.
result<runtime::unique_fd> make_socket(const socket_address& to);
/// A bound, listening, non-blocking socket. A stale unix socket file that nobody listens on is replaced.
result<runtime::unique_fd> listen_on(const socket_address& where);
/// TCP_NODELAY always (G2), keepalive and TCP_USER_TIMEOUT as told. Does nothing to a unix socket.
void apply_options(int socket, const socket_options& options);

/// TCP_USER_TIMEOUT alone; 0 leaves it to the system.
void set_user_timeout(int socket, std::chrono::milliseconds timeout);

/// From TCP_INFO (Linux, tcp(7)).
struct tcp_facts {
  std::chrono::microseconds rtt{0};
  std::uint32_t retransmits = 0;  ///< segments, over the connection's whole life
  std::uint32_t unacked = 0;      ///< segments in flight
  /// Since a segment with data came in.
  std::chrono::milliseconds since_last_data{0};
  std::uint32_t probes = 0;  ///< window and keepalive probes in a row that nobody answered
};
/// Nothing for a unix or a closed socket.
std::optional<tcp_facts> read_tcp_facts(int socket);

}  // namespace trunkline::net
