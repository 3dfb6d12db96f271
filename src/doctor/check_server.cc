// The server's own limits and timers, which look like faults of the network to whoever meets them.
#include <fmt/format.h>

#include <array>
#include <charconv>

#include "doctor/checks.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

/// As pg_settings has them, in their base unit.
constexpr std::string_view wanted =
    "select name, setting from pg_settings where name in ('max_connections', "
    "'superuser_reserved_connections', "
    "'reserved_connections', 'tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count', "
    "'tcp_user_timeout', 'client_connection_check_interval', 'authentication_timeout', "
    "'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout', "
    "'statement_timeout', "
    "'wal_sender_timeout', 'ssl')";

std::optional<std::int64_t> number(const facts& known, const std::string& name) {
  const auto at = known.settings.find(name);
  if (at == known.settings.end()) return std::nullopt;
  std::int64_t value = 0;
  const auto read = std::from_chars(at->second.data(), at->second.data() + at->second.size(), value);
  if (read.ec != std::errc()) return std::nullopt;
  return value;
}

/// What ends a session or a statement by itself, in words.
std::vector<std::string> timers_of(const facts& known) {
  struct timer {
    const char* name;
    const char* code;
  };
  constexpr std::array timers{timer{"idle_session_timeout", "57P05"},
                              timer{"idle_in_transaction_session_timeout", "25P03"},
                              timer{"transaction_timeout", "25P04"}};
  std::vector<std::string> made;
  for (const timer& each : timers)
    if (const auto value = number(known, each.name); value && *value > 0)
      made.push_back(fmt::format("{} = {} ms: FATAL {}", each.name, *value, each.code));
  return made;
}

judgement nearly_full(std::int64_t used, std::int64_t most) {
  return {.is = verdict::finding,
          .summary = fmt::format("{} of {} connection slots are taken", used, most),
          .evidence = {fmt::format("pg_stat_activity: {} client sessions; max_connections {}", used, most)},
          .weight = severity::risk,
          .where = "the server",
          .explanation =
              "The next wave of connections meets \"sorry, too many clients already\" (53300), health "
              "checks among them.",
          .fix =
              "A pooler in transaction mode; reserved_connections (PostgreSQL 16) for operators; "
              "tcp_keepalives_idle so that ghosts go.",
          .pathologies = {"P56"}};
}

judgement ends_idle(const facts& known, std::int64_t milliseconds) {
  return {
      .is = verdict::finding,
      .summary = fmt::format("the server ends idle sessions after {} s", milliseconds / 1000),
      .evidence = {fmt::format("idle_session_timeout = {} ms", milliseconds)},
      .weight = severity::risk,
      .where = "the server (idle_session_timeout)",
      .explanation =
          "Its FATAL 57P05 waits unread in the client's socket; pools report only \"server closed "
          "the connection unexpectedly\" at the next use.",
      .fix = fmt::format(
          "Let pools close idle connections before that (maxIdleTime, idleTimeout below {} s), or "
          "ALTER ROLE {} SET idle_session_timeout = 0.",
          milliseconds / 1000,
          known.parameters.contains("session_authorization") ? known.parameters.at("session_authorization")
                                                             : "..."),
      .pathologies = {"P57"}};
}

runtime::task<judgements> run(examination* of) {
  facts& known = of->known;
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return judgements{could_not_tell(opened.error().text)};
  auto seen = co_await session::query(&one, std::string(wanted));
  if (!seen) co_return judgements{could_not_tell(seen.error().text)};
  if (seen->error) co_return judgements{could_not_tell("pg_settings: " + seen->error->message)};
  for (std::size_t i = 0; i < seen->rows.size(); ++i)
    known.settings.insert_or_assign(std::string(seen->at(i, 0)), std::string(seen->at(i, 1)));
  auto counted = co_await session::query(
      &one, "select count(*) from pg_stat_activity where backend_type = 'client backend'");
  std::int64_t used = -1;
  if (counted && !counted->error) {
    const auto text = counted->at(0, 0);
    std::from_chars(text.data(), text.data() + text.size(), used);
    known.sessions = static_cast<std::uint32_t>(std::max<std::int64_t>(used, 0));
  }
  judgements made;
  const auto most = number(known, "max_connections");
  const auto kept = number(known, "superuser_reserved_connections").value_or(0) +
                    number(known, "reserved_connections").value_or(0);
  if (most && used >= 0 && used * 10 >= (*most - kept) * 9) made.push_back(nearly_full(used, *most - kept));
  if (const auto idle = number(known, "idle_session_timeout"); idle && *idle > 0)
    made.push_back(ends_idle(known, *idle));
  if (!made.empty()) co_return made;
  std::vector<std::string> evidence = timers_of(known);
  if (most)
    evidence.insert(evidence.begin(), fmt::format("{} of {} connection slots are taken", used, *most - kept));
  co_return judgements{fine("the server's limits leave room", std::move(evidence))};
}

}  // namespace

const check server_check{
    .id = "server", .title = "the server's own limits and timers", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
