// What becomes of a session whose client is gone? One is reset while idle, one within a statement; the
// server's list of sessions shows how long they stay.
#include <fmt/format.h>

#include "doctor/checks.h"
#include "doctor/figures.h"
#include "doctor/session.h"
#include "protocol/query_messages.h"

namespace trunkline::doctor {
namespace {

using namespace std::chrono_literals;

/// An idle session that is still there then is a ghost.
constexpr auto ghost_after = 3s;
/// The abandoned statement ends by itself after so many seconds.
constexpr std::string_view statement = "select pg_sleep(4)";
constexpr auto head_start = 300ms;
constexpr auto look_after = 2s;

struct sighting {
  bool known = false;  ///< the watcher saw it before the reset
  std::optional<microseconds> gone_after = {};
};

/// Rows that are this process's own: whoever may not see others' statements sees these.
std::string look_for(std::string_view pid) {
  return fmt::format("select state from pg_stat_activity where pid = {}", pid);
}

runtime::task<outcome<bool>> is_there(session* watcher, std::string pid) {
  auto seen = co_await session::query(watcher, look_for(pid));
  if (!seen) co_return std::unexpected(std::move(seen.error()));
  co_return seen->row_count > 0;
}

runtime::task<outcome<sighting>> watch_end(examination* of, session* watcher, session* victim,
                                           std::string pid, runtime::duration patience) {
  sighting made;
  auto there = co_await is_there(watcher, pid);
  if (!there) co_return std::unexpected(std::move(there.error()));
  made.known = *there;
  const auto began = std::chrono::steady_clock::now();
  victim->reset();
  while (since(began) < patience) {
    there = co_await is_there(watcher, pid);
    if (!there) co_return std::unexpected(std::move(there.error()));
    if (!*there) {
      made.gone_after = since(began);
      co_return made;
    }
    co_await pause(of, 100ms);
  }
  co_return made;
}

runtime::task<outcome<sighting>> reset_idle(examination* of, session* watcher) {
  session victim(*of);
  auto opened = co_await session::open(&victim);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  auto pid = co_await session::query(&victim, "select pg_backend_pid()");
  if (!pid) co_return std::unexpected(std::move(pid.error()));
  co_return co_await watch_end(of, watcher, &victim, std::string(pid->at(0, 0)), ghost_after);
}

runtime::task<outcome<sighting>> reset_busy(examination* of, session* watcher) {
  session victim(*of);
  auto opened = co_await session::open(&victim);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  auto pid = co_await session::query(&victim, "select pg_backend_pid()");
  if (!pid) co_return std::unexpected(std::move(pid.error()));
  std::vector<std::byte> request;
  protocol::append_query(request, statement);
  victim.wire().write(request);
  co_await pause(of, head_start);
  co_return co_await watch_end(of, watcher, &victim, std::string(pid->at(0, 0)), look_after);
}

judgement ghost(const facts& known, std::string evidence) {
  return {
      .is = verdict::finding,
      .summary = "a server process stays behind when its idle client is gone",
      .evidence = {std::move(evidence)},
      .weight = severity::risk,
      .sure = confidence::likely,
      .where = middle_of(known),
      .explanation =
          "The client's end was reset, and the server did not hear of it. Ghosts keep connection "
          "slots, locks and old row versions until keepalive finds out: two hours by default.",
      .fix =
          "On the server: tcp_keepalives_idle = 60, tcp_keepalives_interval = 10, tcp_keepalives_count = 3, "
          "idle_in_transaction_session_timeout; on the hop: close the server's side when the client's ends.",
      .pathologies = {"P11"}};
}

judgement running_on(const facts& known, std::string evidence) {
  return {.is = verdict::finding,
          .summary = "a statement runs on when its client is gone, though the server would look",
          .evidence = {std::move(evidence)},
          .weight = severity::risk,
          .sure = confidence::likely,
          .where = middle_of(known),
          .explanation =
              "client_connection_check_interval is set, so the server looks at its client while it "
              "works; but the hop keeps its side open while the statement runs, and sends no cancel.",
          .fix = "A hop that cancels a statement when its client is gone; statement_timeout on the server.",
          .pathologies = {"P12"}};
}

std::string text_of_end(const sighting& seen) {
  return seen.gone_after ? "gone after " + text_of(*seen.gone_after) : "still there";
}

bool server_looks(const facts& known) {
  const auto at = known.settings.find("client_connection_check_interval");
  return at != known.settings.end() && at->second != "0" && !at->second.empty();
}

runtime::task<judgements> run(examination* of) {
  facts& known = of->known;
  if (known.mode == pooling::transaction || known.mode == pooling::statement)
    co_return judgements{
        could_not_tell("behind a pooler, server processes outlive their clients on purpose")};
  session watcher(*of);
  auto opened = co_await session::open(&watcher);
  if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  auto idle = co_await reset_idle(of, &watcher);
  if (!idle) co_return judgements{could_not_tell(idle.error().text)};
  if (!idle->known)
    co_return judgements{could_not_tell("pg_stat_activity does not show this user's own sessions")};
  auto busy = co_await reset_busy(of, &watcher);
  if (!busy) co_return judgements{could_not_tell(busy.error().text)};
  const std::string idle_text = "an idle session, reset: " + text_of_end(*idle);
  const std::string busy_text = "a session within a statement, reset: " + text_of_end(*busy);
  judgements made;
  // A pooler in session mode keeps the server connection for the next client.
  if (!idle->gone_after && known.mode == pooling::none) made.push_back(ghost(known, idle_text));
  if (!busy->gone_after && server_looks(known)) made.push_back(running_on(known, busy_text));
  if (!made.empty()) co_return made;
  std::string summary = "a session ends with its client";
  if (!busy->gone_after)
    summary =
        "an idle session ends with its client; a statement runs on, as PostgreSQL does by default "
        "(client_connection_check_interval = 0)";
  if (!idle->gone_after) summary = "the pooler keeps its server connections when clients go";
  co_return judgements{fine(std::move(summary), {idle_text, busy_text})};
}

}  // namespace

const check abandoned_check{
    .id = "abandoned", .title = "sessions end when their client is gone", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
