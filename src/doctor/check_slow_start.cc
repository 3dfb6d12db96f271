// Does a big result take longer after a pause than right behind another one? Who sends it forgets how much
// the path takes when nothing was sent for a while, and begins with ten segments again.
#include <fmt/format.h>

#include <algorithm>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

/// Ten segments and five doublings, in rows that every path takes.
constexpr std::size_t row_bytes = 48 * 1024;
constexpr std::size_t rows = 8;
constexpr int rounds = 4;
/// On a shorter round trip a few more of them cost nothing that anybody would notice.
constexpr microseconds long_trip = 5ms;
/// Many times the retransmission time-out, which is 200 ms at least: each of them halves the window.
constexpr microseconds shortest_pause = 1500ms;
constexpr int trips_in_pause = 8;

struct seen_times {
  std::vector<microseconds> behind;  ///< right behind another one
  std::vector<microseconds> after;   ///< after a pause
};

runtime::task<outcome<microseconds>> fetch(session* one) {
  const auto began = std::chrono::steady_clock::now();
  auto came = co_await session::query(
      one, fmt::format("select repeat('x', {}) from generate_series(1, {})", row_bytes, rows));
  if (!came) co_return std::unexpected(std::move(came.error()));
  if (came->row_count != rows)
    co_return std::unexpected(failure{failure::kind::error, "a result of 384 KiB did not come whole"});
  co_return since(began);
}

runtime::task<outcome<seen_times>> measure(examination* of, microseconds length) {
  seen_times made;
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  // The window grows to what the path takes.
  for (int i = 0; i < 2; ++i) {
    auto warmed = co_await fetch(&one);
    if (!warmed) co_return std::unexpected(std::move(warmed.error()));
  }
  for (int i = 0; i < rounds; ++i) {
    auto behind = co_await fetch(&one);
    if (!behind) co_return std::unexpected(std::move(behind.error()));
    made.behind.push_back(*behind);
    co_await pause(of, length);
    auto after = co_await fetch(&one);
    if (!after) co_return std::unexpected(std::move(after.error()));
    made.after.push_back(*after);
  }
  co_return made;
}

judgement shrunk(std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = "after a pause a big result takes several round trips more",
          .evidence = std::move(evidence),
          .weight = severity::slow,
          .sure = confidence::likely,
          .where = is_proxied(known) ? middle_of(known) + ", or the server" : "the server's host",
          .explanation =
              "Linux takes a connection's congestion window back to ten segments when nothing was sent "
              "for longer than the retransmission time-out. The next result begins small and doubles "
              "with each round trip, which costs most where round trips are long.",
          .fix =
              "On the host that sends: net.ipv4.tcp_slow_start_after_idle = 0 (in a pod: "
              "securityContext.sysctls); net.ipv4.tcp_congestion_control = bbr; or a pooler in the server's "
              "zone that keeps its connections busy.",
          .pathologies = {"P53"}};
}

runtime::task<judgements> run(examination* of) {
  const auto trip = of->known.query_trip;
  if (!trip) co_return judgements{could_not_tell("it is not known how long a round trip takes")};
  if (*trip < long_trip)
    co_return judgements{fine(
        "a window that begins small costs nothing here",
        {fmt::format("a round trip takes {}; from {} on it is tried", text_of(*trip), text_of(long_trip))})};
  const microseconds length = std::max(shortest_pause, trips_in_pause * *trip);
  auto seen = co_await measure(of, length);
  if (!seen) co_return judgements{could_not_tell(seen.error().text)};
  std::vector<std::string> evidence{fmt::format("384 KiB right behind another result: {} to {}",
                                                text_of(least(seen->behind)), text_of(most(seen->behind))),
                                    fmt::format("after {} of silence: {} to {}", text_of(length),
                                                text_of(least(seen->after)), text_of(most(seen->after))),
                                    fmt::format("a round trip takes {}", text_of(*trip))};
  if (is_window_lost(seen->behind, seen->after, *trip))
    co_return judgements{shrunk(std::move(evidence), of->known)};
  co_return judgements{fine("a pause makes big results no slower", std::move(evidence))};
}

}  // namespace

bool is_window_lost(const std::vector<microseconds>& behind, const std::vector<microseconds>& after,
                    microseconds trip) {
  if (behind.size() < 3 || after.size() < 3) return false;
  std::vector<microseconds> usual = behind;
  std::ranges::sort(usual);
  usual.pop_back();
  return least(after) >= usual.back() + 2 * trip;
}

const check slow_start_check{
    .id = "slow-start", .title = "big results after a pause", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
