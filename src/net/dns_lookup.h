// Names to addresses and to servers, with the time for which that holds. Blocking: never on a loop, always on
// the work pool. Any thread; a call shares nothing with the others.
//
// What /etc/resolv.conf says about the search list (search, ndots) holds for every look-up, whichever
// resolver it asks; of a name that is found nowhere, each candidate was asked for. EDNS is used where the
// resolver knows it (RFC 6891), TCP where an answer is too long for UDP. `timeout` bounds the call as a
// whole.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "base/error.h"
#include "net/dns_message.h"
#include "net/socket_address.h"

namespace trunkline::net {

struct dns_options {
  /// "127.0.0.1:5353" or "[::1]:53", more behind commas; empty: the resolvers of /etc/resolv.conf.
  std::string resolver = {};
  std::chrono::milliseconds timeout;
};

enum class dns_problem : std::uint8_t {
  /// It is certain that there is nothing: the name does not exist (NXDOMAIN), has no such records (NODATA),
  /// or is no name at all.
  nothing_there,
  /// Nobody knows: no resolver was reached, or it was silent, or it answered with an error or with nonsense.
  /// What was known before may still be right.
  resolver_failed,
};

struct dns_failure {
  dns_problem problem = dns_problem::resolver_failed;
  /// 08001 with reaction `retry`; the message tells the name, whom was asked and what went wrong.
  error why = {};
};

template <class T>
using dns_result = std::expected<T, dns_failure>;

struct dns_addresses {
  /// At least one and at most `limits::dns_records`, none twice. IPv4 before IPv6, then by value: the same
  /// set always comes in the same order.
  std::vector<socket_address> addresses;
  /// The smallest of all records used. `dns_forever` for an IP literal; 0 for what stands in /etc/hosts,
  /// which may change at any time and costs little to read.
  std::chrono::seconds ttl{};
};

struct dns_services {
  /// At least one and at most `limits::dns_records`, none twice; by priority, then host and port.
  std::vector<dns_service> services;
  std::chrono::seconds ttl{};  ///< the smallest of all records used
};

/// The A and AAAA records of `host`, or itself where it is an IP literal (without brackets). /etc/hosts goes
/// before the resolvers. Where one family fails and the other gives addresses, these are the answer.
dns_result<dns_addresses> look_up_addresses(const std::string& host, std::uint16_t port,
                                            const dns_options& options);

/// The SRV records of `name`, for example "_postgresql._tcp.db.example.org". The addresses of their hosts are
/// another look-up.
dns_result<dns_services> look_up_services(const std::string& name, const dns_options& options);

}  // namespace trunkline::net
