#include "doctor/timers.h"

#include <algorithm>
#include <array>

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

constexpr std::array timers{
    known_timer{10s, "Linkerd's protocol detection", "P13",
                "config.linkerd.io/opaque-ports with this port, on the Service and on the pods"},
    known_timer{15s, "PgBouncer server_login_retry or server_connect_timeout", "P31",
                "server_login_retry = 1"},
    known_timer{60s,
                "PgBouncer client_login_timeout, PostgreSQL authentication_timeout or wal_sender_timeout",
                "P57", "those settings"},
    known_timer{120s, "PgBouncer query_wait_timeout, IPVS for half-closed connections", "P31",
                "query_wait_timeout; kube-proxy --ipvs-tcpfin-timeout"},
    known_timer{
        240s, "an Azure load balancer or Azure NAT (4 minutes)", "P02",
        "service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout: \"30\"; enableTcpReset: true"},
    known_timer{300s, "HAProxy as it is often set (timeout client, timeout server)", "P08",
                "timeout client and timeout server, or timeout tunnel, above the longest silence"},
    known_timer{350s, "an AWS NLB, NAT gateway, Network Firewall, or an ENI's connection tracking (Nitro v6)",
                "P01",
                "listener attribute tcp.idle_timeout.seconds=3600; of an ENI: "
                "ConnectionTrackingSpecification.TcpEstablishedTimeout"},
    known_timer{600s,
                "Google Cloud's connection tracking, PgBouncer server_idle_timeout, nginx proxy_timeout",
                "P03", "keepalive below 600 s; server_idle_timeout; proxy_timeout"},
    known_timer{900s, "kube-proxy in IPVS mode", "P05", "kube-proxy --ipvs-tcp-timeout, or mode: nftables"},
    known_timer{1200s, "Google Cloud NAT", "P03", "tcpEstablishedIdleTimeoutSec"},
    known_timer{1800s, "AKS outbound rules, RDS Proxy's idle client timeout", "P02",
                "the outbound rule's idle timeout; RDS Proxy IdleClientTimeout"},
    known_timer{3600s, "Envoy's tcp_proxy idle_timeout, firewalls, PgBouncer server_lifetime", "P07",
                "DestinationRule trafficPolicy.connectionPool.tcp.idleTimeout"},
    known_timer{8000s, "Cilium's connection tracking", "P06", "bpf-ct-timeout-regular-tcp"},
};

/// Between the timers, so that a timer of somebody's own is found too.
constexpr std::array between{3s, 30s, 90s, 180s};

}  // namespace

std::span<const known_timer> known_timers() {
  return timers;
}

std::vector<const known_timer*> suspects(std::chrono::seconds survived, std::chrono::seconds ended) {
  std::vector<const known_timer*> made;
  for (const known_timer& each : timers)
    // Timers of seconds' grain fire a little late.
    if (each.after > survived && each.after <= ended + 1s) made.push_back(&each);
  return made;
}

std::vector<std::chrono::seconds> ladder_up_to(std::chrono::seconds most) {
  std::vector<std::chrono::seconds> made;
  const auto add = [&](std::chrono::seconds rung) {
    if (rung > 0s && rung < most) made.push_back(rung);
  };
  auto next = between.begin();
  for (const known_timer& each : timers) {
    for (; next != between.end() && *next < each.after; ++next)
      add(*next);
    const auto margin = std::max<std::chrono::seconds>(2s, each.after / 70);
    add(each.after - margin);
    add(each.after + margin);
  }
  made.push_back(most);
  return made;
}

}  // namespace trunkline::doctor
