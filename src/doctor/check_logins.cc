// Do many logins at once take much longer than one? The stage that grows names the bottleneck.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"
#include "doctor/together.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

/// The first is a warm-up: this process derives its keys there.
constexpr int alone = 3;

struct login {
  std::optional<login_times> times = {};
  std::optional<failure> wrong = {};
};

runtime::task<void> log_in(examination* of, login* into) {
  session one(*of);
  one.wire().set_patience(2 * limits::doctor_patience);
  auto opened = co_await session::open(&one);
  if (opened) into->times = one.times();
  if (!opened) into->wrong = std::move(opened.error());
}

/// A tenth of the server's slots stay free whatever happens; without knowledge of them, ten logins.
std::size_t crowd_size(const examination& of) {
  constexpr std::size_t careful = 10;
  const auto at = of.known.settings.find("max_connections");
  if (at == of.known.settings.end() || !of.known.sessions) return careful;
  std::size_t most = 0;
  std::from_chars(at->second.data(), at->second.data() + at->second.size(), most);
  const std::size_t used = *of.known.sessions + most / 10 + 5;
  const std::size_t room = most > used ? (most - used) / 2 : 0;
  return std::min({of.how->logins, limits::doctor_logins, room});
}

struct stage {
  std::string_view name;
  microseconds login_times::* time;
};

constexpr std::array stages{stage{"connect", &login_times::connect}, stage{"TLS", &login_times::tls},
                            stage{"first answer", &login_times::first},
                            stage{"authentication", &login_times::auth},
                            stage{"session start", &login_times::ready}};

std::vector<microseconds> times_of(const std::vector<login>& all, microseconds login_times::* which) {
  std::vector<microseconds> made;
  for (const login& each : all)
    if (each.times) made.push_back((*each.times).*which);
  return made;
}

login_crowd crowd_of(const std::vector<login>& all) {
  login_crowd made;
  made.size = all.size();
  for (const stage& each : stages)
    made.median.*each.time = median(times_of(all, each.time));
  return made;
}

judgement failing(const std::vector<login>& all, std::size_t failed, std::vector<std::string> evidence,
                  const facts& known) {
  const auto first = std::ranges::find_if(all, [](const login& each) { return each.wrong.has_value(); });
  evidence.push_back("first failure: " + first->wrong->text);
  const bool slots = first->wrong->has_code("53300");
  const bool own = first->wrong->said && first->wrong->said->has_place;
  return {
      .is = verdict::finding,
      .summary = fmt::format("{} of {} logins at once fail", failed, all.size()),
      .evidence = std::move(evidence),
      .weight = severity::broken,
      .sure = own || is_proxied(known) ? confidence::certain : confidence::hint,
      .where = own ? "the server" : middle_of(known),
      .explanation = slots ? "The server's slots, or the pooler's clients, are at their limit."
                           : "A cap on connections in the path, or a queue that overflows, ends the rest: an "
                             "Envoy cluster's max_connections closes at once and says nothing.",
      .fix = slots ? "max_connections, reserved_connections, a pooler; PgBouncer max_client_conn."
                   : "DestinationRule connectionPool.tcp.maxConnections (Envoy: 1024); PgBouncer "
                     "max_client_conn; HAProxy maxconn.",
      .pathologies = {"P47", "P56"}};
}

judgement serial(std::vector<std::string> evidence, const facts& known) {
  return {
      .is = verdict::finding,
      .summary = "logins wait for one another",
      .evidence = std::move(evidence),
      .weight = severity::slow,
      .sure = confidence::hint,
      .where = middle_of(known),
      .explanation =
          "Connecting takes as long as ever, and the login behind it grows with the crowd: one "
          "process authenticates everybody (SCRAM costs milliseconds of its only thread), or forks "
          "for everybody. After a deploy or failover, clients run into their time-outs.",
      .fix =
          "Pools in the application, or a pooler with warm connections; several poolers behind one address; "
          "scram_iterations (PostgreSQL 16); jitter where applications start.",
      .pathologies = {"P26", "P20"}};
}

runtime::task<judgements> run(examination* of) {
  std::vector<login> single(alone);
  for (login& each : single) {
    co_await log_in(of, &each);
    if (each.wrong) co_return judgements{could_not_tell(each.wrong->text)};
  }
  single.erase(single.begin());
  const std::size_t size = crowd_size(*of);
  if (size < 2)
    co_return judgements{could_not_tell("too few connection slots are free for more logins at once")};
  std::vector<login> crowd(size);
  together all(*of->where);
  const auto began = std::chrono::steady_clock::now();
  for (login& each : crowd)
    all.add(log_in(of, &each));
  co_await together::all(&all);
  const microseconds took = since(began);
  const auto failed = static_cast<std::size_t>(
      std::ranges::count_if(crowd, [](const login& each) { return each.wrong.has_value(); }));
  std::vector<std::string> evidence{fmt::format("{} logins at once in {}", size, text_of(took))};
  for (const stage& each : stages)
    evidence.push_back(fmt::format("{}: {} alone, {} at once (medians)", each.name,
                                   text_of(median(times_of(single, each.time))),
                                   text_of(median(times_of(crowd, each.time)))));
  of->known.measured.logins = {crowd_of(single), crowd_of(crowd)};
  of->known.measured.logins.front().size = 1;
  if (failed > 0) co_return judgements{failing(crowd, failed, std::move(evidence), of->known)};
  // What each login costs the other side when it works on many at once.
  const microseconds share = took / static_cast<int>(size);
  evidence.push_back(fmt::format("{:.0f} logins a second", 1e6 / static_cast<double>(share.count() + 1)));
  if (share > 40ms) co_return judgements{serial(std::move(evidence), of->known)};
  co_return judgements{fine(fmt::format("{} logins at once work", size), std::move(evidence))};
}

}  // namespace

const check logins_check{.id = "logins", .title = "many logins at once", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
