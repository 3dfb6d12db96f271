// The pages of the API as values. A peer wrote them: whatever they hold, reading them fails or is cut.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "client/one_line.h"
#include "doctor/gateway_report.h"

namespace trunkline::doctor {
namespace {

using nlohmann::json;

json parsed(std::string_view body) {
  return json::parse(body, nullptr, false);
}

/// Null where there is no such thing.
const json& member(const json& of, const char* name) {
  static const json none;
  if (!of.is_object()) return none;
  const auto at = of.find(name);
  return at == of.end() ? none : *at;
}

std::string text(const json& of, const char* name) {
  const json& found = member(of, name);
  if (!found.is_string()) return "";
  return client::one_line(found.get_ref<const std::string&>(), limits::doctor_message_bytes);
}

std::uint64_t count_of(const json& of, const char* name) {
  const json& found = member(of, name);
  return found.is_number_unsigned() ? found.get<std::uint64_t>() : 0;
}

std::optional<double> figure(const json& of, const char* name) {
  const json& found = member(of, name);
  if (!found.is_number() || !(found.get<double>() >= 0)) return std::nullopt;
  return found.get<double>();
}

std::optional<microseconds> trip_of(const json& leg) {
  const auto seconds = figure(leg, "rttSeconds");
  if (!seconds || *seconds > 3600) return std::nullopt;
  return microseconds(static_cast<std::int64_t>(*seconds * 1e6));
}

gateway_leg leg_of(const json& of) {
  gateway_leg made{.retransmits = count_of(of, "retransmits"),
                   .mean_trip = figure(member(of, "rttSeconds"), "mean"),
                   .deaths = {}};
  for (const json& each : member(of, "idleBeforeDeath"))
    made.deaths.push_back({.above = figure(each, "above").value_or(0),
                           .up_to = figure(each, "upTo"),
                           .sessions = count_of(each, "sessions"),
                           .suspect = text(each, "suspect")});
  return made;
}

gateway_history history_of(const json& of) {
  gateway_history made{.route = text(of, "route"),
                       .upstream = text(of, "upstream"),
                       .closes = {},
                       .client = leg_of(member(member(of, "legs"), "client")),
                       .server = leg_of(member(member(of, "legs"), "server")),
                       .exchanges = count_of(member(of, "exchanges"), "count"),
                       .phases = {},
                       .gateway_p99 = {}};
  for (const json& each : member(of, "closes"))
    made.closes[text(each, "cause")] += count_of(each, "sessions");
  const json& phases = member(member(of, "exchanges"), "seconds");
  if (phases.is_object())
    for (const auto& [name, each] : phases.items())
      made.phases[client::one_line(name, limits::doctor_message_bytes)] += figure(each, "sum").value_or(0);
  made.gateway_p99 = figure(member(phases, "gateway"), "p99");
  return made;
}

}  // namespace

std::optional<gateway_record> read_record(std::string_view body) {
  const json page = parsed(body);
  if (!member(page, "routes").is_array()) return std::nullopt;
  gateway_record made{.started = text(page, "started"), .routes = {}, .endpoints = {}};
  for (const json& each : member(page, "routes"))
    made.routes.push_back(history_of(each));
  for (const json& each : member(page, "endpoints"))
    made.endpoints.push_back({.name = text(each, "endpoint"),
                              .sessions = count_of(each, "sessions"),
                              .retransmits = count_of(each, "retransmits"),
                              .median_trip = figure(member(each, "rttSeconds"), "median")});
  return made;
}

std::optional<slow_exchanges> read_slow(std::string_view body) {
  const json page = parsed(body);
  if (!member(page, "slowest").is_array()) return std::nullopt;
  slow_exchanges made;
  for (const json& each : member(page, "slowest")) {
    ++made.count;
    ++made.by_meaning[text(member(each, "dominant"), "meaning")];
  }
  return made;
}

std::optional<gateway_session> find_session(std::string_view body, std::string_view application_name) {
  const json page = parsed(body);
  for (const json& each : member(page, "sessions")) {
    if (text(each, "applicationName") != application_name || text(each, "endpoint").empty()) continue;
    const json& legs = member(each, "legs");
    return gateway_session{.route = text(each, "route"),
                           .upstream = text(each, "upstream"),
                           .client = text(each, "client"),
                           .client_is = {},
                           .tls = text(each, "tls"),
                           .local = text(each, "local"),
                           .seen_as = {},
                           .endpoint = text(each, "endpoint"),
                           .server_tls = text(each, "serverTls"),
                           .pooling = text(member(each, "pooled"), "mode"),
                           .client_trip = trip_of(member(legs, "client")),
                           .server_trip = trip_of(member(legs, "server"))};
  }
  return std::nullopt;
}

std::string refusal_of(long status, std::string_view body) {
  const std::string said = text(member(parsed(body), "error"), "message");
  return said.empty() ? fmt::format("status {}", status) : fmt::format("status {}, {}", status, said);
}

}  // namespace trunkline::doctor
