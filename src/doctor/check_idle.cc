// How long may a connection be silent? One connection for each silence, all at once: some without keepalive,
// some with it, some with a statement that sends nothing while it runs.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"
#include "doctor/timers.h"
#include "doctor/together.h"
#include "net/socket.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;

enum class kind : std::uint8_t { idle, keepalive, busy };
constexpr std::array<std::string_view, 3> kind_names{"idle", "idle with keepalive", "a silent statement"};

/// A statement holds back the clean-up of old rows while it runs: none runs longer.
constexpr seconds longest_statement = 1h;
/// What a hole in the path is told from a slow answer by.
constexpr auto patience = 10s;

struct rung {
  seconds length{0};
  kind what = kind::idle;
  bool survived = false;
  bool pushed = false;  ///< the end came while nothing was said; else it showed at the next use
  std::optional<failure> wrong = {};
  microseconds at{0};  ///< when it ended
};

/// Until it is time, or the connection ends.
runtime::task<bool> stay_silent(line* wire, runtime::duration length) {
  runtime::deadline over(*wire->of().where, wire->changed(), length);
  while (!over.passed() && !wire->channel().ended() && wire->channel().unread().empty())
    co_await wire->changed().wait();
  co_return over.passed();
}

runtime::task<void> climb(examination* of, rung* one) {
  session patient(*of);
  auto opened = co_await session::open(&patient, {.statement_timeout = one->what != kind::busy});
  if (!opened) {
    one->wrong = std::move(opened.error());
    co_return;
  }
  // Behind an answered probe, too, Linux looks again after the interval only.
  const seconds every = std::clamp<seconds>(one->length / 3, 1s, 30s);
  if (one->what == kind::keepalive)
    net::apply_options(
        patient.wire().socket(),
        {.keepalive_idle = every, .keepalive_interval = std::min(every, seconds(10)), .keepalive_probes = 3});
  const auto began = std::chrono::steady_clock::now();
  if (one->what == kind::busy) {
    patient.wire().set_patience(one->length + patience);
    auto slept = co_await session::query(&patient, fmt::format("select pg_sleep({})", one->length.count()));
    one->at = since(began);
    one->survived = slept && !slept->error;
    if (!slept) one->wrong = std::move(slept.error());
    if (slept && slept->error)
      one->wrong = failure{failure::kind::error, slept->error->message, slept->error};
    one->pushed =
        one->at < one->length - 500ms || (one->wrong && one->wrong->what != failure::kind::timed_out);
    co_return;
  }
  one->pushed = !co_await stay_silent(&patient.wire(), one->length);
  one->at = since(began);
  patient.wire().set_patience(patience);
  outcome<answer> said;
  if (one->pushed)
    said = co_await session::take(&patient);
  else
    said = co_await session::query(&patient, "select 1");
  one->survived = said && !said->error;
  if (!said) one->wrong = std::move(said.error());
  if (said && said->error) one->wrong = failure{failure::kind::error, said->error->message, said->error};
}

std::string story_of(const rung& one) {
  const std::string head =
      fmt::format("{}, {} s: ", kind_names[static_cast<std::size_t>(one.what)], one.length.count());
  if (one.survived) return head + "survived";
  const std::string why = one.wrong ? one.wrong->text : "no answer";
  if (one.pushed) return head + fmt::format("ended after {}: {}", text_of(one.at), why);
  return head + "ended, which showed at the next use: " + why;
}

/// Of one kind: what survived longest, and what ended first.
struct edge {
  seconds survived{0};
  const rung* ended = nullptr;
};

edge edge_of(const std::vector<rung>& all, kind which) {
  edge made;
  for (const rung& each : all) {
    if (each.what != which) continue;
    if (!each.survived && made.ended == nullptr) made.ended = &each;
    if (each.survived && made.ended == nullptr) made.survived = each.length;
  }
  return made;
}

std::string list_of(const std::vector<const known_timer*>& all, std::string_view known_timer::* what) {
  std::string made;
  for (const known_timer* each : all)
    if (!(each->*what).empty()) made += (made.empty() ? "" : "; or ") + std::string(each->*what);
  return made;
}

judgement cut(const edge& idle, const edge& kept, const edge& busy, std::vector<std::string> evidence,
              const facts& known) {
  const edge& first = idle.ended != nullptr ? idle : busy;
  const auto exact = std::chrono::duration_cast<seconds>(first.ended->at + 500ms);
  const seconds ended = first.ended->pushed ? exact : first.ended->length;
  const seconds survived = first.ended->pushed ? exact - 2s : first.survived;
  const auto who =
      suspects(std::max(survived, first.survived == ended ? 0s : std::min(first.survived, ended)), ended);
  const bool server = first.ended->wrong && first.ended->wrong->said && first.ended->wrong->said->has_place;
  const bool payload = kept.ended != nullptr;
  judgement made{.is = verdict::finding,
                 .summary = fmt::format("a connection that is silent for {} s is ended",
                                        first.ended->pushed
                                            ? fmt::format("{}", ended.count())
                                            : fmt::format("{} to {}", first.survived.count(), ended.count())),
                 .evidence = std::move(evidence),
                 .weight = severity::risk,
                 .sure = who.empty() ? confidence::certain : confidence::likely,
                 .where = server ? "the server" : "between this host and the server behind " + known.address};
  made.explanation =
      payload ? "Keepalive does not help: a proxy counts bytes of the conversation, or ends the "
                "connection for this host and holds another one behind."
              : "Keepalive helps: something forgets connections without traffic, as load balancers, "
                "NAT and connection tracking do.";
  if (!first.ended->pushed)
    made.explanation += first.ended->wrong && first.ended->wrong->what == failure::kind::timed_out
                            ? " Nobody is told: packets vanish, and clients hang at the next use."
                            : " The client is told at its next use, with a reset.";
  if (!who.empty()) made.explanation += " This is the timer of " + list_of(who, &known_timer::whose) + ".";
  made.fix =
      payload
          ? "Raise that timer above the longest silence; pools: idle and maxLifetime below it."
          : "Keepalive on both ends below it: tcp_keepalives_idle = 60 on the server, keepalives_idle=60 in "
            "the DSN.";
  if (const std::string fixes = list_of(who, &known_timer::fix); !fixes.empty())
    made.fix += " " + fixes + ".";
  for (const known_timer* each : who)
    made.pathologies.emplace_back(each->pathology);
  made.pathologies.emplace_back(server ? "P57" : payload ? "P08" : "P09");
  return made;
}

std::vector<rung> rungs_for(const examination& of) {
  std::vector<rung> made;
  const auto at = of.known.settings.find("max_connections");
  std::size_t most = 0;
  if (at != of.known.settings.end())
    std::from_chars(at->second.data(), at->second.data() + at->second.size(), most);
  const std::size_t used = of.known.sessions.value_or(0) + most / 10 + 5;
  const std::size_t room = most > used ? (most - used) / 2 : 10;
  auto lengths = ladder_up_to(of.how->idle);
  // Where slots are few, the long silences matter most.
  const std::size_t each = std::max<std::size_t>(1, std::min(room, limits::doctor_logins) / 3);
  if (lengths.size() > each)
    lengths.erase(lengths.begin(), lengths.end() - static_cast<std::ptrdiff_t>(each));
  for (const seconds length : lengths) {
    for (const kind what : {kind::idle, kind::keepalive, kind::busy})
      if (what != kind::busy || length <= longest_statement) made.push_back({.length = length, .what = what});
  }
  return made;
}

runtime::task<judgements> run(examination* of) {
  std::vector<rung> all = rungs_for(*of);
  together climbers(*of->where);
  for (rung& each : all)
    climbers.add(climb(of, &each));
  co_await together::all(&climbers);
  for (const rung& each : all)
    of->known.measured.silences.push_back(
        {each.length, kind_names[static_cast<std::size_t>(each.what)], each.at, each.survived});
  const edge idle = edge_of(all, kind::idle);
  const edge kept = edge_of(all, kind::keepalive);
  const edge busy = edge_of(all, kind::busy);
  std::vector<std::string> evidence;
  for (const edge& each : {idle, kept, busy})
    if (each.ended != nullptr) evidence.push_back(story_of(*each.ended));
  for (const rung& each : all)
    if (each.survived && each.length == of->how->idle) evidence.push_back(story_of(each));
  if (idle.ended == nullptr && busy.ended == nullptr)
    co_return judgements{
        fine(fmt::format("a connection may be silent for {} s", of->how->idle.count()), std::move(evidence))};
  co_return judgements{cut(idle, kept, busy, std::move(evidence), of->known)};
}

}  // namespace

const check idle_check{
    .id = "idle", .title = "how long a connection may be silent", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
