#include "net/dns_channel.h"

#include <arpa/nameser.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <optional>
#include <string_view>

namespace trunkline::net {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// What goes through unfragmented wherever IPv6 does (DNS flag day 2020); a longer answer comes over TCP.
constexpr int udp_bytes = 1232;
/// Each attempt has twice the time of the one before: 1 + 2 + 4 parts of the timeout.
constexpr int attempts = 3;
constexpr int parts = 7;
constexpr int port_of_dns = 53;

/// c-ares wants to be initialised once, before any thread uses it.
int library() {
  static const int status = ::ares_library_init(ARES_LIB_INIT_ALL);
  return status;
}

void keep_reply(void* where, int status, int /*timeouts*/, unsigned char* bytes, int size) noexcept {
  auto& reply = *static_cast<dns_reply*>(where);
  reply.status = status == ARES_ECANCELLED ? ARES_ETIMEOUT : status;
  reply.done = true;
  reply.message.clear();
  if (status == ARES_SUCCESS) {
    const auto* from = reinterpret_cast<const std::byte*>(bytes);
    reply.message.assign(from, from + size);
  }
}

void keep_addresses(void* where, int /*status*/, int /*timeouts*/, ares_addrinfo* found) noexcept {
  auto& addresses = *static_cast<std::vector<socket_address>*>(where);
  const std::unique_ptr<ares_addrinfo, decltype(&::ares_freeaddrinfo)> owner(found, &::ares_freeaddrinfo);
  for (const auto* each = found == nullptr ? nullptr : found->nodes; each != nullptr; each = each->ai_next)
    addresses.emplace_back(each->ai_addr, each->ai_addrlen);
}

/// "127.0.0.1:5353", "[::1]:53", either without a port.
std::optional<socket_address> resolver_of(std::string_view text) {
  std::uint16_t port = port_of_dns;
  const auto colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  if (colon != std::string_view::npos && (bracketed ? text[colon - 1] == ']' : text.find(':') == colon)) {
    const auto digits = text.substr(colon + 1);
    const auto [end, wrong] = std::from_chars(digits.begin(), digits.end(), port);
    if (wrong != std::errc() || end != digits.end() || port == 0) return std::nullopt;
    text = text.substr(0, colon);
  }
  if (bracketed) {
    if (!text.ends_with(']')) return std::nullopt;
    text = text.substr(1, text.size() - 2);
  }
  const auto address = socket_address::ip(text, port);
  return address ? std::optional(*address) : std::nullopt;
}

/// As c-ares takes it. It would take much else for an address, too, and any number for a port.
std::optional<std::string> resolver_list(std::string_view text) {
  std::string list;
  while (true) {
    const auto comma = text.find(',');
    const auto resolver = resolver_of(text.substr(0, comma));
    if (!resolver) return std::nullopt;
    list += resolver->text();
    if (comma == std::string_view::npos) return list;
    list += ',';
    text.remove_prefix(comma + 1);
  }
}

socket_address address_of(const ares_addr_port_node& server) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::ares_inet_ntop(server.family, &server.addr, text.data(), text.size());
  const int port = server.udp_port == 0 ? port_of_dns : server.udp_port;
  return socket_address::ip(text.data(), static_cast<std::uint16_t>(port)).value_or(socket_address());
}

}  // namespace

dns_channel::dns_channel(const std::string& resolver, milliseconds timeout)
    : deadline_(steady_clock::now() + timeout) {
  status_ = library();
  if (status_ == ARES_SUCCESS) status_ = open(resolver, ARES_FLAG_EDNS, timeout);
  if (status_ == ARES_SUCCESS && list_resolvers() == 1) {
    // c-ares keeps SERVFAIL and its like to itself, to ask the next server. Where there is no next one, they
    // are the answer; otherwise they would look as if nobody could be reached.
    status_ = open(resolver, ARES_FLAG_EDNS | ARES_FLAG_NOCHECKRESP, timeout);
  }
  if (status_ == ARES_SUCCESS) read_search_list();
}

int dns_channel::open(const std::string& resolver, int flags, milliseconds timeout) {
  ares_options options{};
  options.flags = flags;
  options.timeout =
      static_cast<int>(std::clamp<milliseconds::rep>(timeout.count() / parts, 1, INT_MAX / parts));
  options.tries = attempts;
  options.ednspsz = udp_bytes;
  // Questions go to name servers by `ask` alone, so that each family's outcome is known: what
  // ares_getaddrinfo says of two that differ depends on which came last. It is there for the hosts file.
  std::array<char, 2> lookups{'f', '\0'};
  options.lookups = lookups.data();
  ares_channel made = nullptr;
  const int status = ::ares_init_options(
      &made, &options,
      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS);
  if (status != ARES_SUCCESS) return status;
  channel_.reset(made);
  if (resolver.empty()) return ARES_SUCCESS;
  const auto list = resolver_list(resolver);
  return list ? ::ares_set_servers_ports_csv(made, list->c_str()) : ARES_EBADSTR;
}

std::size_t dns_channel::list_resolvers() {
  ares_addr_port_node* servers = nullptr;
  if (::ares_get_servers_ports(channel_.get(), &servers) != ARES_SUCCESS) return 0;
  const std::unique_ptr<ares_addr_port_node, decltype(&::ares_free_data)> owner(servers, &::ares_free_data);
  std::size_t count = 0;
  for (const auto* each = servers; each != nullptr; each = each->next, ++count) {
    if (count > 0) resolvers_ += ", ";
    resolvers_ += address_of(*each).text();
  }
  return count;
}

void dns_channel::read_search_list() {
  ares_options options{};
  int mask = 0;
  status_ = ::ares_save_options(channel_.get(), &options, &mask);
  if (status_ == ARES_SUCCESS) {
    search_.assign(options.domains, options.domains + options.ndomains);
    dots_for_as_is_ = options.ndots;
  }
  ::ares_destroy_options(&options);
}

std::vector<std::string> dns_channel::candidates(const std::string& name) const {
  if (name.ends_with('.')) return {name};
  std::vector<std::string> names;
  names.reserve(search_.size() + 1);
  for (const auto& domain : search_)
    names.emplace_back(name).append(".").append(domain);
  const bool as_is_first = std::ranges::count(name, '.') >= dots_for_as_is_;
  names.insert(as_is_first ? names.begin() : names.end(), name);
  return names;
}

std::vector<socket_address> dns_channel::hosts_file(const std::string& name) {
  const ares_addrinfo_hints hints{
      .ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = 0};
  std::vector<socket_address> addresses;
  ::ares_getaddrinfo(channel_.get(), name.c_str(), nullptr, &hints, &keep_addresses,
                     &addresses);  // calls back at once
  return addresses;
}

std::vector<dns_reply> dns_channel::ask(const std::string& name, std::span<const int> types) {
  std::vector<dns_reply> replies(types.size());
  for (bool first = true, open = true; open; first = false) {
    for (std::size_t i = 0; i < types.size(); ++i) {
      if (!replies[i].done)
        ::ares_query(channel_.get(), name.c_str(), ns_c_in, types[i], &keep_reply, &replies[i]);
    }
    wait(replies);
    if (steady_clock::now() >= deadline_) break;
    open = false;
    for (auto& reply : replies) {
      // A question over TCP has a single attempt, and of two answers that refuse EDNS c-ares asks only the
      // one again without it: both are asked again from here.
      if (reply.status == ARES_ETIMEOUT || (reply.status == ARES_EFORMERR && first)) reply.done = false;
      open = open || !reply.done;
    }
  }
  return replies;
}

/// Returns when c-ares owes no answer any more: `replies` may go then.
void dns_channel::wait(std::span<const dns_reply> replies) {
  while (!std::ranges::all_of(replies, &dns_reply::done)) {
    const auto left = std::chrono::ceil<milliseconds>(deadline_ - steady_clock::now());
    if (left <= milliseconds(0)) {
      ::ares_cancel(channel_.get());
      return;
    }
    turn(left);
  }
}

void dns_channel::turn(milliseconds left) {
  std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
  const auto wanted = static_cast<unsigned>(::ares_getsock(channel_.get(), sockets.data(), sockets.size()));
  std::array<pollfd, ARES_GETSOCK_MAXNUM> polled{};
  std::size_t count = 0;
  for (unsigned i = 0; i < sockets.size(); ++i) {
    const int events = (ARES_GETSOCK_READABLE(wanted, i) != 0 ? POLLIN : 0) |
                       (ARES_GETSOCK_WRITABLE(wanted, i) != 0 ? POLLOUT : 0);
    if (events == 0) break;
    polled[count++] = {.fd = sockets[i], .events = static_cast<short>(events), .revents = 0};
  }

  timeval buffer{};
  if (const timeval* next = ::ares_timeout(channel_.get(), nullptr, &buffer); next != nullptr) {
    const auto until = std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec);
    left = std::min(left, std::chrono::floor<milliseconds>(until) + milliseconds(1));
  }
  const int ready =
      ::poll(polled.data(), count, static_cast<int>(std::min<milliseconds::rep>(left.count(), INT_MAX)));
  if (ready <= 0) ::ares_process_fd(channel_.get(), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  for (const pollfd& each : std::span(polled).first(count)) {
    if (each.revents == 0) continue;
    const bool writable = (each.revents & POLLOUT) != 0;
    const bool readable = (each.revents & ~POLLOUT) != 0;
    ::ares_process_fd(channel_.get(), readable ? each.fd : ARES_SOCKET_BAD,
                      writable ? each.fd : ARES_SOCKET_BAD);
  }
}

}  // namespace trunkline::net
