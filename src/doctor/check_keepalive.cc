// Who notices a peer that is gone without a word? Keepalive and user timeout of each leg that can be seen.
#include <fmt/format.h>

#include <charconv>
#include <fstream>

#include "doctor/checks.h"

namespace trunkline::doctor {
namespace {

/// Below the shortest timer that load balancers are known for (docs/doctor.md, timers).
constexpr std::int64_t quick_enough = 120;

std::optional<std::int64_t> kernel_setting(const char* file) {
  std::ifstream in(file);
  std::int64_t value = 0;
  if (!(in >> value)) return std::nullopt;
  return value;
}

std::string setting(const facts& known, const std::string& name) {
  const auto at = known.settings.find(name);
  return at == known.settings.end() ? "?" : at->second;
}

bool is_slow(const std::string& idle) {
  std::int64_t value = 0;
  const auto read = std::from_chars(idle.data(), idle.data() + idle.size(), value);
  return read.ec == std::errc() && (value == 0 || value > quick_enough);
}

judgement asks_late(const facts& known, std::vector<std::string> evidence) {
  return {
      .is = verdict::finding,
      .summary = "the server asks late whether an idle client is still there, and something stands between",
      .evidence = std::move(evidence),
      .weight = severity::risk,
      .sure = confidence::hint,
      .where = middle_of(known),
      .explanation =
          "Load balancers and NAT forget idle connections after 240 s (Azure), 350 s (AWS), 600 s "
          "(Google Cloud) or 900 s (IPVS); a server with keepalive after two hours notices far too "
          "late, and keeps ghosts until then. Whether the hop asks by itself cannot be seen from here.",
      .fix =
          "Server: tcp_keepalives_idle = 60, tcp_keepalives_interval = 10, tcp_keepalives_count = 3, "
          "tcp_user_timeout = 30s. DSN: keepalives_idle=60 tcp_user_timeout=30000. On the hop: its own "
          "keepalive on both sides (PgBouncer tcp_keepidle, HAProxy option clitcpka and srvtcpka).",
      .pathologies = {"P09", "P10", "P11"}};
}

runtime::task<judgements> run(examination* of) {
  const facts& known = of->known;
  if (known.settings.empty()) co_return judgements{could_not_tell("pg_settings could not be read")};
  if (of->target.is_unix()) co_return judgements{fine("a unix socket needs no keepalive")};
  const std::string idle = setting(known, "tcp_keepalives_idle");
  std::vector<std::string> evidence{
      fmt::format("the server, of this connection: tcp_keepalives_idle {} s, interval {} s, count {}, "
                  "tcp_user_timeout {} ms",
                  idle, setting(known, "tcp_keepalives_interval"), setting(known, "tcp_keepalives_count"),
                  setting(known, "tcp_user_timeout"))};
  if (const auto own = kernel_setting("/proc/sys/net/ipv4/tcp_keepalive_time"))
    evidence.push_back(
        fmt::format("this host: keepalive after {} s where a client switches it on and says no more", *own));
  if (const auto retries = kernel_setting("/proc/sys/net/ipv4/tcp_retries2"))
    evidence.push_back(fmt::format(
        "this host: tcp_retries2 {} (15: a lost peer is noticed after about 15 minutes)", *retries));
  if (known.server_seen_as.empty()) evidence.emplace_back("the server's own leg is a unix socket");
  const bool slow = is_slow(idle) && !known.server_seen_as.empty();
  if (slow && !known.between.empty()) co_return judgements{asks_late(known, std::move(evidence))};
  std::string summary = "the server asks idle clients often enough";
  if (slow)
    summary = "nothing between forgets idle connections, as far as can be seen; the server itself asks late";
  if (known.server_seen_as.empty()) summary = "the server's leg needs no keepalive";
  co_return judgements{fine(std::move(summary), std::move(evidence))};
}

}  // namespace

const check keepalive_check{
    .id = "keepalive", .title = "keepalive and user timeout", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
