// A canary through a rollout or a failover: a session that stays and one that is new each time, several times
// a second. What is told is when the path was gone, how that looked, and whether the old session followed.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;
using time_point = std::chrono::steady_clock::time_point;

/// One step takes no longer.
constexpr auto patience = 1s;
constexpr std::string_view where_am_i =
    "select coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'unix'), pg_is_in_recovery(), "
    "extract(epoch from pg_postmaster_start_time())::text";

struct sight {
  std::string place;
  bool in_recovery = false;

  bool operator==(const sight&) const = default;
};

/// What one of the two canaries went through.
struct record {
  std::size_t steps = 0;
  std::size_t failures = 0;
  std::map<std::string, int> kinds = {};  ///< of failures, in words
  std::optional<time_point> down_since = {};
  microseconds longest_gap{0};
  std::vector<std::string> places = {};  ///< in the order in which they came up
  std::optional<sight> last = {};
};

void note(record& into, const outcome<sight>& seen) {
  ++into.steps;
  if (seen) {
    if (into.down_since) into.longest_gap = std::max(into.longest_gap, since(*into.down_since));
    into.down_since.reset();
    const std::string place = seen->place + (seen->in_recovery ? " (replica)" : " (primary)");
    if (into.places.empty() || into.places.back() != place) into.places.push_back(place);
    into.last = *seen;
    return;
  }
  ++into.failures;
  ++into.kinds[seen.error().text];
  if (!into.down_since) into.down_since = std::chrono::steady_clock::now();
}

runtime::task<outcome<sight>> ask(session* one) {
  auto seen = co_await session::query(one, std::string(where_am_i));
  if (!seen) co_return std::unexpected(std::move(seen.error()));
  if (seen->error)
    co_return std::unexpected(failure{failure::kind::error, seen->error->message, seen->error});
  co_return sight{fmt::format("{} started {}", seen->at(0, 0), seen->at(0, 2)), seen->at(0, 1) == "t"};
}

runtime::task<outcome<sight>> ask_anew(examination* of) {
  session fresh(*of);
  fresh.wire().set_patience(patience);
  auto opened = co_await session::open(&fresh);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  co_return co_await ask(&fresh);
}

runtime::task<outcome<sight>> ask_again(session* kept) {
  if (!kept->is_open()) {
    auto opened = co_await session::open(kept);
    if (!opened) co_return std::unexpected(std::move(opened.error()));
  }
  co_return co_await ask(kept);
}

std::vector<std::string> evidence_of(std::string_view name, const record& of) {
  std::vector<std::string> made{fmt::format("{}: {} of {} steps failed, longest gap {}", name, of.failures,
                                            of.steps, text_of(of.longest_gap))};
  for (const auto& [kind, times] : of.kinds)
    made.push_back(fmt::format("{}: {} times: {}", name, times, kind));
  if (of.places.size() > 1)
    made.push_back(fmt::format("{} was at: {}", name, fmt::join(of.places, ", then ")));
  return made;
}

judgement left_behind(std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = "an old session stays at another server than new ones reach",
          .evidence = std::move(evidence),
          .weight = severity::broken,
          .sure = confidence::certain,
          .where = middle_of(known),
          .explanation =
              "After a failover nobody ends sessions with the old server: established connections are left "
              "alone when a pod leaves its Service. Writes fail with 25006, or go to an isolated primary.",
          .fix =
              "Let the operator end sessions on demotion; pools: close on 25006, "
              "target_session_attrs=read-write; "
              "PgBouncer RECONNECT; or a gateway that watches roles.",
          .pathologies = {"P27", "P29"}};
}

judgement interrupted(const record& fresh, const record& kept, std::vector<std::string> evidence,
                      const facts& known) {
  const auto gap = std::max(fresh.longest_gap, kept.longest_gap);
  return {
      .is = verdict::finding,
      .summary = fmt::format("the path was gone {} times, for {} at the longest",
                             fresh.failures + kept.failures, text_of(gap)),
      .evidence = std::move(evidence),
      .weight = severity::risk,
      .where = middle_of(known),
      .explanation = "Clients meet these errors in a rollout or failover.",
      .fix =
          "preStop: sleep 10 before the listener closes; terminationGracePeriodSeconds above the longest "
          "transaction; a gateway that holds new work until there is a primary (trunkline: failover.hold).",
      .pathologies = {"P32", "P30", "P33"}};
}

runtime::task<judgements> run(examination* of) {
  record fresh;
  record kept;
  session old(*of);
  old.wire().set_patience(patience);
  std::size_t apart = 0;
  const auto began = std::chrono::steady_clock::now();
  while (since(began) < of->how->watch) {
    note(kept, co_await ask_again(&old));
    note(fresh, co_await ask_anew(of));
    if (kept.last && fresh.last && !kept.down_since && !fresh.down_since)
      apart = *kept.last == *fresh.last ? 0 : apart + 1;
    co_await pause(of, limits::doctor_canary);
  }
  std::vector<std::string> evidence = evidence_of("the old session", kept);
  for (auto& each : evidence_of("new sessions", fresh))
    evidence.push_back(std::move(each));
  judgements made;
  // Servers that are balanced differ by turns; one that is left behind differs to the end.
  if (apart > 5 && fresh.places.size() < 5) made.push_back(left_behind(evidence, of->known));
  if (fresh.failures + kept.failures > 0) made.push_back(interrupted(fresh, kept, evidence, of->known));
  if (made.empty())
    made.push_back(
        fine(fmt::format("nothing was lost in {} s", of->how->watch.count()), std::move(evidence)));
  co_return made;
}

}  // namespace

const check watch_check{
    .id = "watch", .title = "a canary through a rollout or failover", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
