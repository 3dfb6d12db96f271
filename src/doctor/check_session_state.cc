// Does what a session sets stay with it, and only with it? A setting of a name that means nothing is made in
// one transaction and read in later ones; where it gets lost, a lock, a temporary table or LISTEN would too,
// and are left alone.
#include <fmt/format.h>

#include "base/limits.h"
#include "doctor/checks.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

constexpr int rounds = 20;
constexpr std::string_view setting = "trunkline_doctor.mark";

struct observation {
  int kept = 0;                        ///< of `rounds`
  int foreign = 0;                     ///< times that the other session read it
  std::vector<std::string> lost = {};  ///< what else did not stay, or was not delivered
};

std::string read_mark() {
  return fmt::format("select current_setting('{}', true)", setting);
}

runtime::task<outcome<>> watch_mark(session* one, session* other, std::string mark, observation* into) {
  auto set = co_await session::query(one, fmt::format("set {} = '{}'", setting, mark));
  if (!set) co_return std::unexpected(std::move(set.error()));
  for (int i = 0; i < rounds; ++i) {
    const bool holds = i % 2 == 0;
    if (holds) (void)co_await session::query(other, "begin read only");
    auto foreign = co_await session::query(other, read_mark());
    if (foreign && foreign->at(0, 0) == mark) ++into->foreign;
    auto mine = co_await session::query(one, read_mark());
    if (!mine) co_return std::unexpected(std::move(mine.error()));
    if (mine->at(0, 0) == mark) ++into->kept;
    if (holds && other->is_open()) (void)co_await session::query(other, "commit");
  }
  co_return outcome<>();
}

/// The mark is taken off every server connection that can be found.
runtime::task<void> clean(session* one, session* other) {
  for (int i = 0; i < 3; ++i) {
    for (session* each : {one, other})
      if (each->is_open()) (void)co_await session::query(each, fmt::format("reset {}", setting));
  }
}

/// Each ends with the session: only where the session keeps its server connection.
runtime::task<outcome<>> try_the_rest(examination* of, session* one, session* other, observation* into) {
  const std::string key = std::to_string(std::hash<std::string>{}(of->run) & 0x7fff'ffff);
  auto locked = co_await session::query(one, "select pg_try_advisory_lock(20014711, " + key + ")");
  if (!locked) co_return std::unexpected(std::move(locked.error()));
  auto unlocked = co_await session::query(one, "select pg_advisory_unlock(20014711, " + key + ")");
  if (!unlocked) co_return std::unexpected(std::move(unlocked.error()));
  if (locked->at(0, 0) == "t" && unlocked->at(0, 0) != "t")
    into->lost.emplace_back("a session's advisory lock");
  const std::string channel = "trunkline_doctor_" + key;
  auto listens = co_await session::query(one, "listen " + channel);
  if (!listens) co_return std::unexpected(std::move(listens.error()));
  // A replica takes no LISTEN.
  if (listens->error) co_return outcome<>();
  auto told = co_await session::query(other, "notify " + channel + ", 'here'");
  if (!told) co_return std::unexpected(std::move(told.error()));
  for (int i = 0; i < 20 && one->notifications().empty(); ++i) {
    auto asked = co_await session::query(one, "select 1");
    if (!asked) co_return std::unexpected(std::move(asked.error()));
    co_await pause(of, std::chrono::milliseconds(20));
  }
  if (!told->error && one->notifications().empty()) into->lost.emplace_back("a notification (LISTEN)");
  auto quiet = co_await session::query(one, "unlisten " + channel);
  if (!quiet) co_return std::unexpected(std::move(quiet.error()));
  auto table = co_await session::query(one, "create temporary table trunkline_doctor as select 4711 as mark");
  if (!table) co_return std::unexpected(std::move(table.error()));
  // Without the right to make one there is nothing to lose.
  if (table->error) co_return outcome<>();
  auto rows = co_await session::query(one, "select mark from pg_temp.trunkline_doctor");
  if (!rows) co_return std::unexpected(std::move(rows.error()));
  if (rows->at(0, 0) != "4711") into->lost.emplace_back("a temporary table");
  auto dropped = co_await session::query(one, "drop table if exists pg_temp.trunkline_doctor");
  if (!dropped) co_return std::unexpected(std::move(dropped.error()));
  co_return outcome<>();
}

judgement leaking(const observation& seen, const facts& known) {
  return {
      .is = verdict::finding,
      .summary = seen.foreign > 0 ? "a session's settings reach other sessions"
                                  : "a session's settings get lost between transactions",
      .evidence = {fmt::format("a setting of one session was read again in {} of {} later transactions",
                               seen.kept, rounds),
                   fmt::format("another session read it {} times", seen.foreign)},
      .weight = seen.foreign > 0 ? severity::broken : severity::risk,
      .sure = is_proxied(known) ? confidence::certain : confidence::likely,
      .where = middle_of(known),
      .explanation =
          "SET, search_path, SET ROLE, temporary tables, advisory locks and LISTEN belong to one "
          "server connection, which others get in turn. Row-level security that reads a setting "
          "then shows one tenant another one's rows.",
      .fix =
          "SET LOCAL within transactions; ALTER ROLE ... SET for what is always the same; a session-mode "
          "pool for such clients; or trunkline with pooling: transaction, which carries settings and pins "
          "sessions that need it.",
      .pathologies = {"P45"}};
}

judgement losing(const observation& seen, const facts& known) {
  return {.is = verdict::finding,
          .summary = fmt::format("{} gets lost, though settings stay", seen.lost.front()),
          .evidence = {fmt::format("lost: {}", fmt::join(seen.lost, ", "))},
          .weight = severity::broken,
          .sure = confidence::likely,
          .where = middle_of(known),
          .explanation = "The pooler replays settings on each server connection, and cannot carry this.",
          .fix = "A session-mode pool for clients that need it, or a gateway that pins them.",
          .pathologies = {"P45"}};
}

runtime::task<judgements> run(examination* of) {
  session one(*of);
  session other(*of);
  for (session* each : {&one, &other}) {
    auto opened = co_await session::open(each);
    if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  }
  observation seen;
  const std::string mark = of->run.substr(of->run.rfind(' ') + 1);
  auto watched = co_await watch_mark(&one, &other, mark, &seen);
  co_await clean(&one, &other);
  if (!watched) co_return judgements{could_not_tell(watched.error().text)};
  if (seen.kept < rounds || seen.foreign > 0) co_return judgements{leaking(seen, of->known)};
  auto rest = co_await try_the_rest(of, &one, &other, &seen);
  if (!rest) co_return judgements{could_not_tell(rest.error().text)};
  if (!seen.lost.empty()) co_return judgements{losing(seen, of->known)};
  co_return judgements{
      fine("settings, locks, temporary tables and LISTEN stay with their session",
           {fmt::format("a setting was read again in {} of {} later transactions", seen.kept, rounds)})};
}

}  // namespace

const check session_state_check{
    .id = "session-state", .title = "what a session sets stays with it", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
