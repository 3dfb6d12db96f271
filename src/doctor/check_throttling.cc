// Does somebody on the path stop each 100 ms? A process with a CPU limit does not run once its share of a
// period is used. Small queries at up to a kilohertz show when it stopped and when it went on.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"
#include "doctor/stalls.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

/// Twelve periods; half of that where nothing stalled.
constexpr microseconds longest = 1200ms;
constexpr microseconds quiet = 600ms;
constexpr microseconds pace = 1ms;
/// A longer round trip is too coarse to see when a period ended.
constexpr microseconds coarse = 20ms;

/// How long this process itself did not run: its timer is late then, and a round trip that was under way
/// meanwhile says nothing of the path.
class own_pauses {
 public:
  explicit own_pauses(runtime::loop& where)
      : loop_(where),
        last_(std::chrono::steady_clock::now()),
        timer_(where.timers(), [](void* self) { static_cast<own_pauses*>(self)->beat(); }, this) {
    timer_.arm(loop_.now() + pace);
  }

  /// The longest since it was asked before.
  microseconds take() {
    beat();
    return std::exchange(longest_, microseconds(0));
  }

 private:
  void beat() {
    longest_ = std::max(longest_, since(last_));
    last_ = std::chrono::steady_clock::now();
    timer_.arm(last_ + pace);
  }

  runtime::loop& loop_;
  std::chrono::steady_clock::time_point last_;
  microseconds longest_{0};
  runtime::timer timer_;
};

struct observation {
  std::vector<timed_trip> trips;
  std::size_t own = 0;  ///< trips that were long because this process did not run
};

runtime::task<outcome<>> watch(examination* of, observation* into) {
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  own_pauses self(*of->where);
  const auto began = std::chrono::steady_clock::now();
  bool stalled = false;
  for (microseconds at{0}; at < (stalled ? longest : quiet); at = since(began)) {
    (void)self.take();
    auto answered = co_await session::query(&one, "select 1");
    if (!answered) co_return std::unexpected(std::move(answered.error()));
    const microseconds took = since(began) - at;
    const bool is_long = took >= least_stall;
    if (is_long && 2 * self.take() > took) {
      ++into->own;
    } else {
      into->trips.push_back({at, took});
      stalled = stalled || is_long;
    }
    if (took < pace) co_await pause(of, pace - took);
  }
  co_return outcome<>();
}

judgement throttled(std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = "somebody on the path stops in each period of 100 ms",
          .evidence = std::move(evidence),
          .weight = severity::slow,
          .sure = confidence::likely,
          .where = is_proxied(known) ? middle_of(known) + ", or the server"
                                     : "between this host and the server behind " + known.address,
          .explanation =
              "Answers pause for tens of milliseconds and go on at the same place of each 100 ms: a "
              "CPU limit (CFS quota) of a proxy, sidecar, pooler or server is used up, and all of "
              "its connections wait, at a small mean load too.",
          .fix =
              "No CPU limit on it (resources.limits.cpu), or 2 and more, with a request that fits: Istio "
              "sidecar.istio.io/proxyCPULimit, Linkerd config.linkerd.io/proxy-cpu-limit. Its cgroup's "
              "cpu.stat (nr_throttled) proves it.",
          .pathologies = {"P52"}};
}

runtime::task<judgements> run(examination* of) {
  if (of->known.query_trip.value_or(0us) > coarse)
    co_return judgements{could_not_tell(fmt::format("a round trip of {} is too long to see periods of 100 ms",
                                                    text_of(*of->known.query_trip)))};
  observation seen;
  auto watched = co_await watch(of, &seen);
  if (!watched) co_return judgements{could_not_tell(watched.error().text)};
  const stall_pattern found = pattern_of(seen.trips);
  std::vector<std::string> evidence{fmt::format("{} queries one after another: median {}, {} took {} longer",
                                                seen.trips.size(), text_of(found.median_trip), found.stalls,
                                                text_of(least_stall))};
  if (found.stalls > 0)
    evidence.push_back(
        fmt::format("stalls of {} (median) in {} of {} periods of 100 ms; {:.0f} % of their ends "
                    "fall together",
                    text_of(found.typical), found.periods, found.spanned, 100 * found.alignment));
  if (seen.own > 0)
    evidence.push_back(fmt::format("{} more were long because this process itself did not run", seen.own));
  const bool quota = found.is_quota();
  of->known.measured.steady = std::move(seen.trips);
  if (quota) co_return judgements{throttled(std::move(evidence), of->known)};
  co_return judgements{fine("nobody stops in each period of 100 ms", std::move(evidence))};
}

}  // namespace

const check throttling_check{
    .id = "throttling", .title = "nobody's processor is taken away", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
