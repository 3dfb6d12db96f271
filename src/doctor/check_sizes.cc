// Do messages of every size pass, in both directions? A path with a smaller MTU than its ends believe
// swallows large packets, where ICMP is filtered.
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

/// Around the MTUs that networks have (1420 WireGuard, 1450 VXLAN, 1460 Google, 1500, 9001), and well above.
constexpr std::array<std::size_t, 9> ladder{100, 1200, 1380, 1420, 1460, 1500, 8900, 20'000, 60'000};
constexpr auto patience = 3s;
/// Rows of the largest size: a result that fills every buffer on the way.
constexpr std::size_t many = 64;

struct rung {
  std::size_t bytes = 0;
  bool down = false;  ///< it came
  bool up = false;    ///< it went
  microseconds down_took{0};
  microseconds up_took{0};
  std::string wrong = {};
};

runtime::task<void> climb(examination* of, std::size_t bytes, rung* into) {
  into->bytes = bytes;
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) {
    into->wrong = opened.error().text;
    co_return;
  }
  one.wire().set_patience(patience);
  auto began = std::chrono::steady_clock::now();
  auto down = co_await session::query(&one, fmt::format("select repeat('x', {})", bytes));
  into->down_took = since(began);
  into->down = down && down->at(0, 0).size() == bytes;
  if (!down) {
    into->wrong = down.error().text;
    co_return;
  }
  began = std::chrono::steady_clock::now();
  auto up = co_await session::query(&one, fmt::format("select length('{}')", std::string(bytes, 'x')));
  into->up_took = since(began);
  into->up = up && up->at(0, 0) == std::to_string(bytes);
  if (!up) into->wrong = up.error().text;
}

runtime::task<outcome<std::string>> fetch_many(examination* of) {
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  const auto began = std::chrono::steady_clock::now();
  auto rows = co_await session::query(
      &one, fmt::format("select repeat('x', {}) from generate_series(1, {})", ladder.back(), many));
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  if (rows->row_count != many)
    co_return std::unexpected(
        failure{failure::kind::error, fmt::format("{} of {} rows came", rows->row_count, many)});
  co_return fmt::format("{} rows of {} bytes in {}", many, ladder.back(), text_of(since(began)));
}

std::string segment_size(int socket) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return "";
  return fmt::format("segments of {} bytes to send, {} to receive, path MTU {}", info.tcpi_snd_mss,
                     info.tcpi_rcv_mss, info.tcpi_pmtu);
}

judgement swallowed(const rung& first, std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = fmt::format("messages of {} bytes and more get lost", first.bytes),
          .evidence = std::move(evidence),
          .weight = severity::broken,
          .sure = confidence::likely,
          .where = "between this host and the server behind " + known.address,
          .explanation =
              "Small queries work, large rows or statements hang until the connection times out: the "
              "path's MTU is smaller than its ends believe, and nobody tells them (ICMP is filtered).",
          .fix =
              "The CNI's MTU; iptables TCPMSS --clamp-mss-to-pmtu; net.ipv4.tcp_mtu_probing = 1; let ICMP "
              "\"fragmentation needed\" pass.",
          .pathologies = {"P49"}};
}

judgement cut_short(std::string why, const facts& known) {
  return {.is = verdict::finding,
          .summary = "a large result does not come whole",
          .evidence = {std::move(why)},
          .weight = severity::broken,
          .where = "between this host and the server behind " + known.address,
          .explanation = "Every single message passes, and a result of several MiB does not.",
          .fix =
              "net.netfilter.nf_conntrack_tcp_be_liberal = 1 (kube-proxy conntrack.tcpBeLiberal) where "
              "resets come "
              "at random; the buffers and time-outs of the hop between.",
          .pathologies = {"P51", "P59"}};
}

runtime::task<judgements> run(examination* of) {
  std::array<rung, ladder.size()> rungs;
  std::vector<std::string> evidence;
  // One after the other, and no further than the first that fails: each failure takes its patience.
  for (std::size_t i = 0; i < ladder.size(); ++i) {
    co_await climb(of, ladder[i], &rungs[i]);
    if (rungs[i].down && rungs[i].up) {
      of->known.measured.sizes.push_back({ladder[i], rungs[i].down_took, rungs[i].up_took});
      continue;
    }
    const std::string which = rungs[i].down ? "to the server" : "from the server";
    evidence.push_back(fmt::format("{} bytes {}: {}", ladder[i], which,
                                   rungs[i].wrong.empty() ? "another value came" : rungs[i].wrong));
    if (i == 0) co_return judgements{could_not_tell("not even a small message passed", std::move(evidence))};
    evidence.push_back(fmt::format("{} bytes pass", ladder[i - 1]));
    co_return judgements{swallowed(rungs[i], std::move(evidence), of->known)};
  }
  auto whole = co_await fetch_many(of);
  if (!whole) co_return judgements{cut_short(whole.error().text, of->known)};
  line wire(*of);
  if (auto connected = co_await line::connect(&wire); connected && !of->target.is_unix())
    evidence.push_back(segment_size(wire.socket()));
  evidence.push_back(std::move(*whole));
  co_return judgements{
      fine(fmt::format("messages from {} to {} bytes pass both ways", ladder.front(), ladder.back()),
           std::move(evidence))};
}

}  // namespace

const check sizes_check{
    .id = "sizes", .title = "messages of every size pass", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
