#include "doctor/gateway_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "doctor/figures.h"
#include "doctor/timers.h"

namespace trunkline::doctor {
namespace {

/// Fewer exchanges say nothing about the slowest hundredth of them.
constexpr std::uint64_t enough_exchanges = 1'000;
/// The gateway's own share of an exchange is tens of microseconds; what takes so long is a process that does
/// not run.
constexpr double late_gateway = 0.025;

struct death {
  const char* cause;
  const char* where;
  const char* what;
  const char* pathology;
  gateway_leg gateway_history::* leg;
};

constexpr std::array deaths{
    death{"server_timeout", "between the gateway and the server", "the server vanished without a word", "P10",
          &gateway_history::server},
    death{"server_reset", "between the gateway and the server", "the server's connection was reset", "P01",
          &gateway_history::server},
    death{"server_eof", "between the gateway and the server",
          "the server's connection was closed without an error", "P32", &gateway_history::server},
    death{"client_timeout", "between the clients and the gateway", "clients vanished without a word", "P10",
          &gateway_history::client},
};

std::string text_of_seconds(double seconds) {
  return text_of(microseconds(static_cast<std::int64_t>(std::min(seconds, 1e9) * 1e6)));
}

void add(gateway_leg& into, const gateway_leg& from) {
  into.retransmits += from.retransmits;
  into.deaths.insert(into.deaths.end(), from.deaths.begin(), from.deaths.end());
  if (!into.mean_trip) into.mean_trip = from.mean_trip;
}

/// What counts for this path: its own route's, or all of them where that is not known.
gateway_history relevant(const gateway_record& seen, const std::optional<gateway_session>& own) {
  gateway_history made;
  for (const gateway_history& each : seen.routes) {
    if (own && (each.route != own->route || each.upstream != own->upstream)) continue;
    made.route = each.route;
    for (const auto& [cause, count] : each.closes)
      made.closes[cause] += count;
    for (const auto& [phase, seconds] : each.phases)
      made.phases[phase] += seconds;
    add(made.client, each.client);
    add(made.server, each.server);
    made.exchanges += each.exchanges;
    if (each.exchanges >= enough_exchanges)
      made.gateway_p99 = std::max(made.gateway_p99.value_or(0), each.gateway_p99.value_or(0));
  }
  return made;
}

std::string bucket_text(const idle_deaths& each, std::string_view leg) {
  const std::string reach = each.up_to ? fmt::format("{:.0f} to {:.0f} s", each.above, *each.up_to)
                                       : fmt::format("more than {:.0f} s", each.above);
  return fmt::format("the {} leg died {} times after a silence of {}{}", leg, each.sessions, reach,
                     each.suspect.empty() ? "" : ": " + each.suspect);
}

void tell_leg(std::vector<std::string>& into, const gateway_leg& leg, std::string_view name) {
  for (const idle_deaths& each : leg.deaths)
    if (each.sessions > 0) into.push_back(bucket_text(each, name));
  if (leg.retransmits > 0)
    into.push_back(fmt::format("{} segments were sent again on the {} leg", leg.retransmits, name));
  if (leg.mean_trip)
    into.push_back(
        fmt::format("a round trip on the {} leg: {} in the mean", name, text_of_seconds(*leg.mean_trip)));
}

std::vector<std::string> evidence_of(const gateway_history& seen, const gateway_record& all,
                                     const std::optional<slow_exchanges>& slow) {
  std::vector<std::string> made;
  for (const auto& [cause, count] : seen.closes)
    if (count > 0) made.push_back(fmt::format("{} sessions ended by {}", count, cause));
  tell_leg(made, seen.server, "server");
  tell_leg(made, seen.client, "client");
  for (const gateway_endpoint& each : all.endpoints)
    if (each.retransmits > 0)
      made.push_back(
          fmt::format("{}: {} segments sent again on {} connections that are open now, round trip {}",
                      each.name, each.retransmits, each.sessions,
                      each.median_trip ? text_of_seconds(*each.median_trip) : "not known"));
  for (const auto& [phase, seconds] : seen.phases)
    if (seconds >= 0.1) made.push_back(fmt::format("{:.1f} s of all exchanges: {}", seconds, phase));
  if (slow)
    for (const auto& [meaning, count] : slow->by_meaning)
      made.push_back(fmt::format("{} of the {} slowest exchanges: {}", count, slow->count, meaning));
  if (!all.started.empty()) made.push_back("the gateway has counted since " + all.started);
  return made;
}

/// The timer that most of a leg's deaths speak of; nothing where they are too few, or scattered.
const idle_deaths* favourite(const gateway_leg& leg) {
  std::uint64_t all = 0;
  for (const idle_deaths& each : leg.deaths)
    all += each.sessions;
  const auto most = std::ranges::max_element(leg.deaths, {}, &idle_deaths::sessions);
  if (most == leg.deaths.end() || most->suspect.empty()) return nullptr;
  return most->sessions >= 3 && 2 * most->sessions > all ? &*most : nullptr;
}

judgement died(const death& how, std::uint64_t count, std::uint64_t all, const gateway_history& seen,
               std::vector<std::string> evidence) {
  judgement made{
      .is = verdict::finding,
      .summary = fmt::format("{} of {} sessions in production: {}", count, all, how.what),
      .evidence = std::move(evidence),
      .weight = severity::risk,
      .sure = confidence::certain,
      .where = how.where,
      .explanation = fmt::format("The gateway on this path has counted them since it started, by its "
                                 "close cause {}.",
                                 how.cause),
      .fix = "keepalive.idle below the shortest timer on that leg (trunkline.yaml).",
      .pathologies = {how.pathology}};
  const idle_deaths* which = favourite(seen.*how.leg);
  if (which == nullptr || !which->up_to) {
    made.fix += " The log's end lines say after how long idle each of them died.";
    return made;
  }
  made.explanation += fmt::format(" Most died after a silence of {:.0f} to {:.0f} s: {}.", which->above,
                                  *which->up_to, which->suspect);
  const auto whole = [](double value) { return std::chrono::seconds(static_cast<std::int64_t>(value)); };
  for (const known_timer* each : suspects(whole(which->above), whole(*which->up_to))) {
    if (!each->fix.empty()) made.fix += fmt::format(" {}.", each->fix);
    if (std::ranges::find(made.pathologies, each->pathology) == made.pathologies.end())
      made.pathologies.emplace_back(each->pathology);
  }
  return made;
}

judgement late(double p99, std::vector<std::string> evidence) {
  evidence.insert(evidence.begin(),
                  fmt::format("the gateway's own share of one exchange in a hundred: up to {} or more",
                              text_of_seconds(p99)));
  return {.is = verdict::finding,
          .summary = "the gateway itself is late",
          .evidence = std::move(evidence),
          .weight = severity::slow,
          .sure = confidence::likely,
          .where = "the gateway",
          .explanation =
              "Its work on an exchange takes microseconds. Where it takes tens of milliseconds its "
              "process did not run: a CPU limit, or too little of the node.",
          .fix =
              "No CPU limit, or one of several cores, and a request that fits; workers: as many as cores "
              "(trunkline.yaml).",
          .pathologies = {"P52"}};
}

judgement own_path(const gateway_session& own) {
  std::vector<std::string> evidence{
      fmt::format("the gateway sees this host as {}, {}", own.client,
                  own.tls.empty() ? "plaintext" : own.tls),
      fmt::format("its server leg: {} to {}, {}", own.local.empty() ? "its address" : own.local, own.endpoint,
                  own.server_tls.empty() ? "plaintext" : own.server_tls)};
  if (own.client_trip || own.server_trip)
    evidence.push_back(fmt::format("round trips as TCP measures them: {} here, {} to the server",
                                   own.client_trip ? text_of(*own.client_trip) : "not known",
                                   own.server_trip ? text_of(*own.server_trip) : "not known"));
  if (!own.pooling.empty()) evidence.push_back("pooling: " + own.pooling);
  return fine(fmt::format("this session takes the gateway's route {} to {}", own.route, own.endpoint),
              std::move(evidence));
}

}  // namespace

judgements judge_gateway(const gateway_record& seen, const std::optional<slow_exchanges>& slow,
                         const std::optional<gateway_session>& own) {
  const gateway_history of = relevant(seen, own);
  std::uint64_t all = 0;
  for (const auto& [cause, count] : of.closes)
    all += count;
  judgements made;
  if (own) made.push_back(own_path(*own));
  const std::size_t before = made.size();
  for (const death& each : deaths) {
    const auto found = of.closes.find(each.cause);
    if (found != of.closes.end() && found->second > 0)
      made.push_back(died(each, found->second, all, of, evidence_of(of, seen, slow)));
  }
  if (of.gateway_p99.value_or(0) >= late_gateway)
    made.push_back(late(*of.gateway_p99, evidence_of(of, seen, slow)));
  if (made.size() == before)
    made.push_back(fine(fmt::format("the gateway has seen {} sessions end, none by the path", all),
                        evidence_of(of, seen, slow)));
  return made;
}

}  // namespace trunkline::doctor
