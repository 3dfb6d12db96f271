// The timers on the road between a client and a server that end idle flows, and how to recognise one by the
// idle time of the sessions that died (docs/metrics.md, "What cuts idle sessions"). Most of these timers are
// kept by their vendors to the second, so each gets a narrow band of its own: who cuts actively kills inside
// the band, and who forgets a flow silently is seen by the next write, so that deaths begin at the band and
// none lie before it. Constants; any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace trunkline::telemetry {

struct idle_timer {
  std::int64_t seconds;
  std::int64_t from;  ///< its band: above `from`,
  std::int64_t to;    ///< up to `to` seconds
  std::string_view suspect;
};

/// Ascending, without overlap.
inline constexpr std::array<idle_timer, 19> idle_timers{{
    {10, 9, 11, "a service mesh that waits for the first bytes to detect the protocol"},
    {15, 14, 16, "a pooler's connect or retry timer (PgBouncer's default)"},
    {30, 29, 32, "TCP_USER_TIMEOUT of this gateway (its default): the peer's host went silent"},
    {60, 58, 63,
     "keepalive of this gateway (its default): the peer's host went silent; or a one-minute proxy timer"},
    {120, 115, 130, "a pooler's query_wait_timeout (PgBouncer's default), IPVS after a FIN"},
    {240, 235, 245, "Azure load balancer or NAT (4 min default)"},
    {300, 295, 305, "HAProxy as commonly set (5 min), or a load balancer that deregisters a target"},
    {350, 345, 357, "AWS network load balancer, NAT gateway or network firewall (350 s)"},
    {600, 595, 610, "Google Cloud connection tracking, or PgBouncer's server_idle_timeout (10 min)"},
    {900, 890, 910, "kube-proxy in IPVS mode (15 min)"},
    {924, 910, 935, "TCP gave up repeating (tcp_retries2, about 15 min): the peer's host is gone"},
    {1'200, 1'190, 1'215, "Google Cloud NAT (20 min)"},
    {1'800, 1'790, 1'815, "AKS outbound rule or RDS Proxy (30 min)"},
    {3'600, 3'590, 3'620, "Envoy's TCP proxy or a firewall (1 h)"},
    {7'200, 7'190, 7'230, "the first keepalive of a host with Linux's defaults (2 h)"},
    {7'875, 7'850, 7'900, "keepalive of a host with Linux's defaults gave up (2 h 11 min)"},
    {8'000, 7'990, 8'020, "Cilium's connection tracking (8000 s)"},
    {86'400, 86'380, 86'460, "connection tracking as kube-proxy sets it (1 day)"},
    {432'000, 431'980, 432'120, "Linux connection tracking, EC2 security groups (5 days)"},
}};

/// The timer in whose band this lies; null: none.
constexpr const idle_timer* timer_near(double idle_seconds) {
  for (const idle_timer& each : idle_timers) {
    if (idle_seconds > static_cast<double>(each.from) && idle_seconds <= static_cast<double>(each.to))
      return &each;
  }
  return nullptr;
}

namespace detail {

/// A first bound at one second, then both ends of each band; a band that begins where another ends shares it.
constexpr std::size_t idle_bound_count() {
  std::size_t count = 1;
  std::int64_t last = 1;
  for (const idle_timer& each : idle_timers) {
    count += each.from == last ? 1 : 2;
    last = each.to;
  }
  return count;
}

}  // namespace detail

/// Histogram bounds in nanoseconds.
constexpr auto idle_timer_bounds() {
  constexpr std::int64_t second = 1'000'000'000;
  std::array<std::int64_t, detail::idle_bound_count()> made{second};
  std::size_t at = 1;
  for (const idle_timer& each : idle_timers) {
    if (made[at - 1] != each.from * second) made[at++] = each.from * second;
    made[at++] = each.to * second;
  }
  return made;
}

}  // namespace trunkline::telemetry
