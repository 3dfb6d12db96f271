// Does a CancelRequest reach the statement that it is for? Twenty times, with TLS and without where both are
// there.
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"
#include "doctor/together.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t at_once = 5;
/// The statement sleeps so long when nobody cancels it; a cancel that works ends it much sooner.
constexpr std::string_view sleep = "select pg_sleep(2)";
constexpr auto head_start = 150ms;
/// A server without a processor to spare has not begun the statement by then. Where so few miss, they get
/// another chance; among several processes half of them would.
constexpr auto long_head_start = 1s;
constexpr std::size_t few = limits::doctor_cancels / 5;

struct trial {
  bool over_tls = false;
  runtime::duration wait = head_start;
  bool hit = false;
  microseconds took{0};      ///< from the request to the end of the statement
  std::string wrong = {};    ///< of the trial itself
  std::string refused = {};  ///< the cancel's own connection
};

runtime::task<void> cancel_soon(session* one, trial* what, std::chrono::steady_clock::time_point* sent) {
  co_await pause(&one->wire().of(), what->wait);
  *sent = std::chrono::steady_clock::now();
  auto done = co_await session::cancel(one, what->over_tls);
  if (!done) what->refused = done.error().text;
}

runtime::task<void> await_statement(session* one, trial* what, std::chrono::steady_clock::time_point* ended) {
  auto seen = co_await session::query(one, std::string(sleep));
  *ended = std::chrono::steady_clock::now();
  if (!seen) {
    what->wrong = seen.error().text;
    co_return;
  }
  what->hit = seen->has_code("57014");
  if (seen->error && !what->hit) what->wrong = seen->error->message;
}

runtime::task<void> try_once(session* one, trial* what) {
  std::chrono::steady_clock::time_point sent{};
  std::chrono::steady_clock::time_point ended{};
  together both(*one->wire().of().where);
  both.add(await_statement(one, what, &ended));
  both.add(cancel_soon(one, what, &sent));
  co_await together::all(&both);
  what->took = std::max(microseconds(0), std::chrono::duration_cast<microseconds>(ended - sent));
}

/// One session's share of the trials, one after the other.
runtime::task<void> try_share(examination* of, std::vector<trial>* all, std::size_t from, bool* no_key) {
  session one(*of);
  for (std::size_t i = from; i < all->size(); i += at_once) {
    if (!one.is_open()) {
      auto opened = co_await session::open(&one);
      // Each failure takes its patience: one speaks for the rest.
      for (std::size_t rest = i; !opened && rest < all->size(); rest += at_once)
        (*all)[rest].wrong = opened.error().text;
      if (!opened) co_return;
    }
    *no_key = *no_key || !one.has_key();
    if (!one.has_key()) co_return;
    co_await try_once(&one, &(*all)[i]);
  }
}

/// Those that missed, once more.
runtime::task<void> try_again(examination* of, std::vector<trial>* all) {
  const auto missed = [](const trial& each) { return each.wrong.empty() && !each.hit; };
  if (static_cast<std::size_t>(std::ranges::count_if(*all, missed)) > few) co_return;
  for (trial& each : *all) {
    if (!missed(each)) continue;
    session one(*of);
    auto opened = co_await session::open(&one);
    if (!opened) co_return;
    each = {.over_tls = each.over_tls, .wait = long_head_start};
    co_await try_once(&one, &each);
  }
}

struct score {
  std::size_t tried = 0;
  std::size_t hits = 0;
  std::vector<microseconds> times = {};
  std::string wrong = {};
  std::string refused = {};
};

score score_of(const std::vector<trial>& all, bool over_tls) {
  score made;
  for (const trial& each : all) {
    if (each.over_tls != over_tls) continue;
    if (!each.wrong.empty()) {
      made.wrong = each.wrong;
      continue;
    }
    ++made.tried;
    if (each.hit) ++made.hits;
    if (each.hit) made.times.push_back(each.took);
    if (!each.refused.empty()) made.refused = each.refused;
  }
  return made;
}

judgement lost(const score& of, bool over_tls, std::vector<std::string> evidence, const facts& known) {
  const bool never = of.hits == 0;
  std::string how = over_tls ? " over TLS" : "";
  if (!of.refused.empty()) evidence.push_back("its connection: " + of.refused);
  return {.is = verdict::finding,
          .summary = never ? "no cancel request" + how + " reaches its statement"
                           : fmt::format("only {} of {} cancel requests{} reach their statement", of.hits,
                                         of.tried, how),
          .evidence = std::move(evidence),
          .weight = never ? severity::broken : severity::risk,
          .sure = confidence::certain,
          .where = middle_of(known),
          .explanation =
              never ? "A CancelRequest comes over a connection of its own and is dropped on the way. "
                      "Time-outs in applications do not stop statements, which pile up."
                    : "A CancelRequest comes over a connection of its own, which is balanced to another "
                      "process than the session's; that one does not know the key and is silent. The "
                      "share that works is about one in as many processes as there are.",
          .fix =
              "PgBouncer 1.21: peer_id and [peers], with one address for each process; one pooler behind the "
              "address; or a gateway whose keys any replica can forward.",
          .pathologies = {"P43"}};
}

runtime::task<judgements> run(examination* of) {
  const bool tls_too = of->known.negotiation.ssl_answer == 'S' && !of->target.is_unix();
  std::vector<trial> all(limits::doctor_cancels);
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i].over_tls = tls_too && (i / at_once) % 2 == 1;
  bool no_key = false;
  together shares(*of->where);
  for (std::size_t i = 0; i < at_once; ++i)
    shares.add(try_share(of, &all, i, &no_key));
  co_await together::all(&shares);
  if (no_key) co_return judgements{could_not_tell("the login brought no key to cancel with")};
  co_await try_again(of, &all);
  judgements made;
  std::vector<std::string> evidence;
  for (const bool over_tls : {false, true}) {
    const score sum = score_of(all, over_tls);
    if (over_tls && !tls_too) continue;
    if (sum.tried == 0) {
      made.push_back(could_not_tell("no statement ran that could be cancelled: " + sum.wrong));
      continue;
    }
    evidence.push_back(fmt::format("{}: {} of {} statements were cancelled, within {}",
                                   over_tls ? "with TLS" : "plain", sum.hits, sum.tried,
                                   text_of(most(sum.times))));
    if (sum.hits < sum.tried) made.push_back(lost(sum, over_tls, evidence, of->known));
  }
  if (made.empty()) made.push_back(fine("cancel requests reach their statement", std::move(evidence)));
  co_return made;
}

}  // namespace

const check cancel_check{
    .id = "cancel", .title = "cancel requests reach their statement", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
