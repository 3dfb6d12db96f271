// TCP's round trip beside the protocol's: who answers the SYN, the server or somebody near?
#include <fmt/format.h>
#include <ifaddrs.h>

#include <algorithm>
#include <memory>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/first_words.h"
#include "doctor/session.h"
#include "net/socket.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

constexpr int tries = 10;

/// The server, or whoever is first, is on this very host: then short trips say nothing.
bool is_own_address(const net::socket_address& which) {
  const std::string host = which.host_text();
  if (which.is_unix() || host.starts_with("127.") || host == "::1") return true;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return false;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, &::freeifaddrs);
  for (const ifaddrs* each = all; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr) continue;
    const int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (net::socket_address(each->ifa_addr, length).host_text() == host) return true;
  }
  return false;
}

runtime::task<outcome<microseconds>> time_syn(examination* of) {
  line wire(*of);
  const auto began = std::chrono::steady_clock::now();
  auto connected = co_await line::connect(&wire);
  if (!connected) co_return std::unexpected(std::move(connected.error()));
  microseconds took = since(began);
  if (const auto tcp = net::read_tcp_facts(wire.socket()); tcp && tcp->rtt.count() > 0)
    took = std::min(took, tcp->rtt);
  co_return took;
}

runtime::task<judgements> run(examination* of) {
  facts& known = of->known;
  std::vector<microseconds> trips;
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  for (int i = 0; i < tries; ++i) {
    const auto began = std::chrono::steady_clock::now();
    auto answered = co_await session::query(&one, "select 1");
    if (!answered) co_return judgements{could_not_tell(answered.error().text)};
    trips.push_back(since(began));
  }
  known.query_trip = least(trips);
  known.measured.queries = trips;
  if (of->target.is_unix())
    co_return judgements{
        fine("a unix socket: no network lies between", {"SELECT 1: " + text_of(least(trips)) + " at least"})};
  std::vector<microseconds> syns;
  for (int i = 0; i < tries; ++i)
    if (auto took = co_await time_syn(of)) syns.push_back(*took);
  if (syns.empty()) co_return judgements{could_not_tell("no further connection was accepted")};
  known.syn = least(syns);
  std::vector<std::string> evidence{
      fmt::format("SYN {}, SSLRequest {}, SELECT 1 {} (the least of {})", text_of(*known.syn),
                  known.ssl_trip ? text_of(*known.ssl_trip) : "-", text_of(*known.query_trip), tries)};
  const bool own = is_own_address(of->target);
  if (!own && is_answered_nearby(*known.syn, known.ssl_trip, *known.query_trip)) {
    known.between.emplace_back("split-tcp");
    evidence.emplace_back("whoever answers the SYN is much nearer than whoever answers queries");
    co_return judgements{fine("a proxy near this host answers the SYN", std::move(evidence))};
  }
  co_return judgements{
      fine(fmt::format("a query takes {}", text_of(*known.query_trip)), std::move(evidence))};
}

}  // namespace

bool is_answered_nearby(microseconds syn, std::optional<microseconds> ssl_trip, microseconds query_trip) {
  const auto is_far = [syn](microseconds trip) { return trip > 3 * syn + 400us; };
  return syn < 150us && is_far(query_trip) && (!ssl_trip || is_far(*ssl_trip));
}

const check round_trips_check{
    .id = "round-trips", .title = "who answers first, and how far away", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
