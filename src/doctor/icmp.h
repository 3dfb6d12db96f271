// Who refused a connection: a firewall or router says so in an ICMP message, which the kernel keeps for
// whoever asks. Linux, ip(7): IP_RECVERR. Any thread.
#pragma once

#include <optional>
#include <string>

namespace trunkline::doctor {

struct icmp_refusal {
  std::string from;  ///< its address
  std::string what;  ///< "host unreachable"
};

/// From now on the kernel keeps such messages for this socket. Before connect: an established connection
/// would take each of them for its end.
void keep_icmp(int socket);
/// The first one that came; nothing where none did.
std::optional<icmp_refusal> read_icmp(int socket);

}  // namespace trunkline::doctor
