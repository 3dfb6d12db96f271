// Does the replication protocol pass? IDENTIFY_SYSTEM over a connection of its own: nothing is streamed, and
// no slot is made.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

judgement rejected(const failure& why, const facts& known) {
  return {
      .is = verdict::finding,
      .summary = "the replication protocol does not pass",
      .evidence = {"a login with replication=database: " + why.text},
      .weight = severity::risk,
      .where = middle_of(known),
      .explanation = "Logical decoding, pg_basebackup and standbys cannot use this path.",
      .fix =
          "Let them connect to the server itself (a Service of its own), or use a gateway that passes the "
          "replication protocol on (trunkline: pooling: off).",
      .pathologies = {"P58"}};
}

/// PostgreSQL's own no: the role or pg_hba.conf does not allow it, or it has no WAL sender left.
bool is_own_refusal(const failure& why) {
  if (!why.said) return false;
  return why.said->has_place || why.has_code("42501") || why.has_code("28000");
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  login_wishes wishes;
  wishes.parameters.emplace_back("replication", "database");
  auto opened = co_await session::open(&one, std::move(wishes));
  if (!opened && is_own_refusal(opened.error()))
    co_return judgements{could_not_tell("this user may not replicate: " + opened.error().text)};
  if (!opened) co_return judgements{rejected(opened.error(), of->known)};
  auto seen = co_await session::query(&one, "IDENTIFY_SYSTEM");
  if (!seen) co_return judgements{rejected(seen.error(), of->known)};
  if (seen->error)
    co_return judgements{
        rejected(failure{failure::kind::error, seen->error->message, seen->error}, of->known)};
  co_return judgements{
      fine("the replication protocol passes",
           {fmt::format("IDENTIFY_SYSTEM: system {}, timeline {}", seen->at(0, 0), seen->at(0, 1))})};
}

}  // namespace

const check replication_check{
    .id = "replication", .title = "the replication protocol passes", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
