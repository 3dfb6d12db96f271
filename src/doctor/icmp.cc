#include "doctor/icmp.h"

#include <fmt/format.h>
// <linux/errqueue.h> needs timespec.
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <time.h>

#include <array>
#include <cstring>

#include "net/socket_address.h"

namespace trunkline::doctor {
namespace {

struct known_message {
  std::uint8_t code;
  const char* name;
};

/// Of type "destination unreachable": RFC 792 and 1812.
constexpr std::array v4_names{known_message{ICMP_NET_UNREACH, "network unreachable"},
                              known_message{ICMP_HOST_UNREACH, "host unreachable"},
                              known_message{ICMP_PROT_UNREACH, "protocol unreachable"},
                              known_message{ICMP_PORT_UNREACH, "port unreachable"},
                              known_message{ICMP_NET_ANO, "network prohibited"},
                              known_message{ICMP_HOST_ANO, "host prohibited"},
                              known_message{ICMP_PKT_FILTERED, "administratively prohibited"}};
/// RFC 4443.
constexpr std::array v6_names{known_message{ICMP6_DST_UNREACH_NOROUTE, "no route"},
                              known_message{ICMP6_DST_UNREACH_ADMIN, "administratively prohibited"},
                              known_message{ICMP6_DST_UNREACH_ADDR, "address unreachable"},
                              known_message{ICMP6_DST_UNREACH_NOPORT, "port unreachable"}};

template <std::size_t N>
std::string name_in(const std::array<known_message, N>& names, std::uint8_t code) {
  for (const known_message& each : names)
    if (each.code == code) return each.name;
  return fmt::format("unreachable, code {}", code);
}

std::string name_of(const sock_extended_err& error) {
  const bool v6 = error.ee_origin == SO_EE_ORIGIN_ICMP6;
  if (error.ee_type != (v6 ? ICMP6_DST_UNREACH : ICMP_DEST_UNREACH))
    return fmt::format("type {}, code {}", error.ee_type, error.ee_code);
  return v6 ? name_in(v6_names, error.ee_code) : name_in(v4_names, error.ee_code);
}

/// The kernel appends the address of whoever sent it.
std::string sender_of(const cmsghdr& header, const sock_extended_err& error) {
  const auto* from = SO_EE_OFFENDER(&error);
  const std::size_t length = header.cmsg_len - CMSG_LEN(sizeof error);
  if (length < sizeof(sockaddr_in) || from->sa_family == AF_UNSPEC) return "";
  return net::socket_address(from, static_cast<socklen_t>(length)).host_text();
}

}  // namespace

void keep_icmp(int socket) {
  const int on = 1;
  // One of the two fails: the socket is of the other family.
  (void)::setsockopt(socket, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  (void)::setsockopt(socket, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
}

std::optional<icmp_refusal> read_icmp(int socket) {
  alignas(cmsghdr) std::array<char, 256> control{};
  msghdr message{};
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return std::nullopt;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    const bool is_error = (each->cmsg_level == IPPROTO_IP && each->cmsg_type == IP_RECVERR) ||
                          (each->cmsg_level == IPPROTO_IPV6 && each->cmsg_type == IPV6_RECVERR);
    if (!is_error || each->cmsg_len < CMSG_LEN(sizeof(sock_extended_err))) continue;
    const auto* error = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(each));
    if (error->ee_origin != SO_EE_ORIGIN_ICMP && error->ee_origin != SO_EE_ORIGIN_ICMP6) continue;
    std::string from = sender_of(*each, *error);
    if (!from.empty()) return icmp_refusal{std::move(from), name_of(*error)};
  }
  return std::nullopt;
}

}  // namespace trunkline::doctor
