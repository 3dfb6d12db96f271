#include "net/dns_lookup.h"

#include <arpa/nameser.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <tuple>

#include "base/limits.h"
#include "net/dns_channel.h"

namespace trunkline::net {

namespace {

dns_failure failure(dns_problem problem, std::string message) {
  return {.problem = problem,
          .why = {.source = error_source::gateway,
                  .reaction = error_reaction::retry,
                  .code = sqlstates::cannot_connect,
                  .message = std::move(message)}};
}

std::string in_words(int status, const dns_options& options) {
  switch (status) {
    case ARES_ETIMEOUT:
      return "no answer within " + std::to_string(options.timeout.count()) + " ms";
    case ARES_ESERVFAIL:
      return "it answered SERVFAIL";
    case ARES_EREFUSED:
      return "it answered REFUSED";
    case ARES_EFORMERR:
      return "it answered FORMERR";
    case ARES_ENOTIMP:
      return "it answered NOTIMP";
    case ARES_EBADRESP:
      return "its answer is damaged or has an unknown error code";
    // With several resolvers c-ares does not tell one that refused from one that was not there.
    case ARES_ECONNREFUSED:
      return "it cannot be reached or has failed";
    case ARES_EBADSTR:
      return "that is no list of IP addresses with ports";
    default:
      return ::ares_strerror(status);
  }
}

dns_failure resolver_failed(const std::string& name, int status, const dns_channel& channel,
                            const dns_options& options) {
  const std::string& asked = channel.resolvers().empty() ? options.resolver : channel.resolvers();
  return failure(dns_problem::resolver_failed,
                 "cannot look up \"" + name + "\" at resolver " + asked + ": " + in_words(status, options));
}

/// What the replies for one candidate come to.
struct findings {
  dns_answer answer = {};
  bool name_exists = false;
  int failed = ARES_SUCCESS;  ///< of the last question that nobody answered
};

void weigh(const dns_reply& reply, findings& found) {
  // A name that cannot be asked for (a label too long, an empty one) cannot be there.
  if (reply.status == ARES_ENOTFOUND || reply.status == ARES_EBADNAME) return;
  if (reply.status != ARES_SUCCESS && reply.status != ARES_ENODATA) {
    found.failed = reply.status;
    return;
  }
  found.name_exists = true;
  if (reply.status == ARES_ENODATA) return;
  auto answer = read_dns_answer(reply.message);
  if (!answer) {
    found.failed = ARES_EBADRESP;
  } else if (!answer->empty()) {
    auto& all = found.answer;
    all.addresses.insert(all.addresses.end(), answer->addresses.begin(), answer->addresses.end());
    all.services.insert(all.services.end(), answer->services.begin(), answer->services.end());
    all.ttl = std::min(all.ttl, answer->ttl);
  }
}

/// Goes through the candidates up to the first that has records. It stops at one about which nobody knows:
/// the next would be the name of another host.
dns_result<dns_answer> search(dns_channel& channel, const std::string& name, std::span<const int> types,
                              const char* what, const dns_options& options) {
  bool exists = false;
  for (const auto& candidate : channel.candidates(name)) {
    findings found;
    for (const auto& reply : channel.ask(candidate, types))
      weigh(reply, found);
    if (!found.answer.empty()) return std::move(found.answer);
    if (found.failed != ARES_SUCCESS) {
      return std::unexpected(resolver_failed(candidate, found.failed, channel, options));
    }
    exists = exists || found.name_exists;
  }
  const std::string verdict = exists ? "has no " + std::string(what) : "does not exist";
  return std::unexpected(failure(dns_problem::nothing_there,
                                 "\"" + name + "\" " + verdict + ", says resolver " + channel.resolvers()));
}

/// What can be asked for at all; c-ares looks at the labels.
std::optional<dns_failure> check(const std::string& name) {
  if (!name.empty() && name.size() <= NS_MAXDNAME && name.find('\0') == std::string::npos)
    return std::nullopt;
  return failure(dns_problem::nothing_there, "not a DNS name: \"" + name.substr(0, name.find('\0')) + "\"");
}

/// `host` as an address where it is one, with its scope ("fe80::1%eth0").
std::optional<socket_address> literal(const std::string& host, std::uint16_t port) {
  if (auto address = socket_address::ip(host, port)) return *address;
  if (host.find('%') == std::string::npos) return std::nullopt;
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_family = AF_INET6;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  return socket_address(found->ai_addr, found->ai_addrlen).with_port(port);
}

std::strong_ordering compare(const socket_address& a, const socket_address& b) {
  if (a.family() != b.family())
    return a.family() == AF_INET ? std::strong_ordering::less : std::strong_ordering::greater;
  return std::memcmp(a.get(), b.get(), std::min(a.length(), b.length())) <=> 0;
}

/// Not as RFC 6724 sorts: that order changes with the host's routes and leaves equals as the resolver turned
/// them, and who keeps a set wants to see when it changes. IPv4 goes first, since hosts without IPv6 are the
/// more frequent ones.
std::vector<socket_address> in_order(std::vector<socket_address> addresses, std::uint16_t port) {
  for (auto& each : addresses)
    each = each.with_port(port);
  std::ranges::sort(addresses, [](const auto& a, const auto& b) { return compare(a, b) < 0; });
  const auto twice =
      std::ranges::unique(addresses, [](const auto& a, const auto& b) { return compare(a, b) == 0; });
  addresses.erase(twice.begin(), twice.end());
  if (addresses.size() > limits::dns_records) addresses.resize(limits::dns_records);
  return addresses;
}

std::vector<dns_service> in_order(std::vector<dns_service> services) {
  std::ranges::sort(services, {}, [](const dns_service& each) {
    return std::tie(each.priority, each.host, each.port, each.weight);
  });
  const auto twice = std::ranges::unique(services);
  services.erase(twice.begin(), twice.end());
  if (services.size() > limits::dns_records) services.resize(limits::dns_records);
  return services;
}

}  // namespace

dns_result<dns_addresses> look_up_addresses(const std::string& host, std::uint16_t port,
                                            const dns_options& options) {
  if (auto bad = check(host)) return std::unexpected(std::move(*bad));
  if (const auto address = literal(host, port))
    return dns_addresses{.addresses = {*address}, .ttl = dns_forever};

  dns_channel channel(options.resolver, options.timeout);
  if (channel.status() != ARES_SUCCESS) {
    return std::unexpected(resolver_failed(host, channel.status(), channel, options));
  }
  if (auto known = channel.hosts_file(host); !known.empty()) {
    return dns_addresses{.addresses = in_order(std::move(known), port), .ttl = std::chrono::seconds(0)};
  }
  static constexpr std::array<int, 2> types{ns_t_a, ns_t_aaaa};
  auto found = search(channel, host, types, "addresses", options);
  if (!found) return std::unexpected(std::move(found.error()));
  return dns_addresses{.addresses = in_order(std::move(found->addresses), port), .ttl = found->ttl};
}

dns_result<dns_services> look_up_services(const std::string& name, const dns_options& options) {
  if (auto bad = check(name)) return std::unexpected(std::move(*bad));
  dns_channel channel(options.resolver, options.timeout);
  if (channel.status() != ARES_SUCCESS) {
    return std::unexpected(resolver_failed(name, channel.status(), channel, options));
  }
  static constexpr std::array<int, 1> types{ns_t_srv};
  auto found = search(channel, name, types, "SRV records", options);
  if (!found) return std::unexpected(std::move(found.error()));
  return dns_services{.services = in_order(std::move(found->services)), .ttl = found->ttl};
}

}  // namespace trunkline::net
