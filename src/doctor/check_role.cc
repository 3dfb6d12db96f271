// Do fresh sessions all reach one server, in one role? A name that leads to a primary and to replicas by
// turns gives every application a share of failing writes.
#include <fmt/format.h>

#include <map>
#include <set>

#include "doctor/checks.h"
#include "doctor/session.h"

namespace trunkline::doctor {
namespace {

constexpr int sessions = 10;

struct sight {
  std::string place;  ///< the server's address, or its system and start where it has none
  std::string system;
  bool in_recovery = false;
};

runtime::task<outcome<sight>> look(examination* of) {
  session one(*of);
  auto opened = co_await session::open(&one);
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  auto seen = co_await session::query(
      &one,
      "select coalesce(host(inet_server_addr()) || ':' || inet_server_port(), 'unix'), "
      "extract(epoch from pg_postmaster_start_time())::text, pg_is_in_recovery(), "
      "(select system_identifier::text from pg_control_system())");
  if (!seen) co_return std::unexpected(std::move(seen.error()));
  if (seen->error)
    co_return std::unexpected(failure{failure::kind::error, seen->error->message, seen->error});
  co_return sight{fmt::format("{} (started {})", seen->at(0, 0), seen->at(0, 1)), std::string(seen->at(0, 3)),
                  seen->at(0, 2) == "t"};
}

judgement mixed_roles(std::vector<std::string> evidence, const facts& known) {
  return {
      .is = verdict::finding,
      .summary = "new sessions reach a primary or a replica by chance",
      .evidence = std::move(evidence),
      .weight = severity::broken,
      .where = "whoever chooses the server behind " + known.address,
      .explanation =
          "Writes fail on the replica: \"cannot execute INSERT in a read-only transaction\" (25006). "
          "A Service's selector matches both, or a pooler kept the old primary.",
      .fix =
          "Select the primary only (cnpg.io/instanceRole: primary, spilo-role: master), PgBouncer RECONNECT "
          "after a failover, or target_session_attrs=read-write in the DSN; trunkline: routes[].target: "
          "primary.",
      .pathologies = {"P28", "P27"}};
}

judgement mixed_systems(std::vector<std::string> evidence, const facts& known) {
  return {.is = verdict::finding,
          .summary = "new sessions reach different database systems",
          .evidence = std::move(evidence),
          .weight = severity::broken,
          .where = "whoever chooses the server behind " + known.address,
          .explanation =
              "The servers have different identifiers (pg_control_system()): they are no copies of one "
              "another. Applications see another database's data by chance.",
          .fix =
              "Istio ServiceEntry: set `addresses:` and `exportTo: [\".\"]`; a Service's selector that "
              "matches two "
              "clusters; names that resolve to both.",
          .pathologies = {"P14"}};
}

judgement replica_only(std::vector<std::string> evidence) {
  return fine("every new session reaches a replica: nothing can be written here", std::move(evidence));
}

runtime::task<judgements> run(examination* of) {
  std::map<std::string, int> places;
  std::set<std::string> systems;
  std::set<bool> roles;
  for (int i = 0; i < sessions; ++i) {
    auto seen = co_await look(of);
    if (!seen) co_return judgements{could_not_tell(fmt::format("session {}: {}", i + 1, seen.error().text))};
    ++places[fmt::format("{}, {}", seen->place, seen->in_recovery ? "a replica" : "the primary")];
    systems.insert(seen->system);
    roles.insert(seen->in_recovery);
  }
  std::vector<std::string> evidence;
  for (const auto& [place, times] : places)
    evidence.push_back(fmt::format("{} of {} new sessions: {}", times, sessions, place));
  if (systems.size() > 1) co_return judgements{mixed_systems(std::move(evidence), of->known)};
  if (roles.size() > 1) co_return judgements{mixed_roles(std::move(evidence), of->known)};
  if (roles.contains(true)) co_return judgements{replica_only(std::move(evidence))};
  co_return judgements{fine(places.size() == 1 ? "every new session reaches the same primary"
                                               : "new sessions reach several servers in one role",
                            std::move(evidence))};
}

}  // namespace

const check role_check{
    .id = "role", .title = "new sessions reach one server in one role", .needs = need::login, .run = run};

}  // namespace trunkline::doctor
