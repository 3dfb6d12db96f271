// Does the path work to the end of the examination? One that dies in its middle makes every check behind fail
// in its own way, and none of them is believed then.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

/// A cap that was just reached, or a server process that is about to end, is no death.
constexpr int tries = 3;
constexpr auto between_tries = 300ms;

struct last_sign {
  bool accepted = false;  ///< TCP still connects
  std::optional<failure> wrong = {};
};

runtime::task<last_sign> log_in_again(examination* of) {
  last_sign made;
  {
    line wire(*of);
    auto connected = co_await line::connect(&wire);
    made.accepted = connected.has_value();
    if (!connected) made.wrong = std::move(connected.error());
  }
  if (made.wrong) co_return made;
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) made.wrong = std::move(opened.error());
  co_return made;
}

/// Somebody there said no: slots that are not free again yet, for one.
bool is_refusal(const failure& why) {
  return why.said.has_value() || why.what == failure::kind::login;
}

runtime::task<last_sign> look(examination* of) {
  last_sign seen;
  for (int i = 0; i < tries; ++i) {
    if (i > 0) co_await pause(of, between_tries);
    seen = co_await log_in_again(of);
    const bool waited = seen.wrong && seen.wrong->what == failure::kind::timed_out;
    if (!seen.wrong || waited) break;
  }
  co_return seen;
}

judgement dead(const last_sign& seen, const facts& known) {
  judgement made{
      .is = verdict::finding,
      .summary = "the path stopped working in the middle of the examination",
      .evidence = {fmt::format("{}: {}",
                               seen.accepted ? "the login, at the end" : "the connection, at the end",
                               seen.wrong->text)},
      .weight = severity::broken,
      .where = "between this host and the server behind " + known.address,
      .explanation =
          "A login worked at the beginning and does not at the end: the server or a hop was stopped or "
          "replaced, or something began to drop this host's packets. What was not tested says nothing.",
      .fix = "Examine it again; --watch 5m shows how long the gaps are and which sessions they end.",
      .pathologies = {"P17", "P32"}};
  if (seen.accepted && is_proxied(known)) made.where = "behind the proxy at " + known.address;
  if (seen.wrong->said && seen.wrong->said->has_place)
    made.where = "the server (the error is PostgreSQL's own)";
  return made;
}

judgement gone_for_a_while(const facts& known) {
  return {.is = verdict::finding,
          .summary = "the path was gone in the middle of the examination, and is back",
          .weight = severity::risk,
          .where = "between this host and the server behind " + known.address,
          .explanation = "Clients met errors meanwhile. What was not tested says nothing.",
          .fix = "Examine it again; --watch 5m shows how long the gaps are and which sessions they end.",
          .pathologies = {"P17", "P32"}};
}

runtime::task<judgements> run(examination* of) {
  const facts& known = of->known;
  if (known.login_failure) co_return judgements{could_not_tell("no login: " + *known.login_failure)};
  last_sign seen = co_await look(of);
  if (!seen.wrong && known.died.empty()) co_return judgements{fine("the path works to the end")};
  if (seen.wrong && seen.wrong->has_code("53300"))
    co_return judgements{could_not_tell("no slot for one more login: " + seen.wrong->text)};
  judgement made = seen.wrong ? dead(seen, known) : gone_for_a_while(known);
  if (!known.died.empty()) made.evidence.insert(made.evidence.begin(), known.died);
  co_return judgements{std::move(made)};
}

}  // namespace

runtime::task<judgements> unless_dead(examination* of, const check* which, judgements said) {
  const bool asks_over_it = which->needs == need::login && which != &watch_check;
  if (!asks_over_it || worst_of(said) == verdict::ok) co_return said;
  const last_sign seen = co_await look(of);
  if (!seen.wrong || is_refusal(*seen.wrong)) co_return said;
  of->known.died = fmt::format("it died in the check \"{}\": {}", which->title, seen.wrong->text);
  co_return judgements{could_not_tell("the path died meanwhile: " + seen.wrong->text)};
}

const check still_there_check{
    .id = "still-there", .title = "the path works to the end", .needs = need::address, .run = run};

}  // namespace trunkline::doctor
