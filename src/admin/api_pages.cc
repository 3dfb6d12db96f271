#include "admin/api_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "admin/json.h"
#include "admin/query.h"
#include "base/limits.h"
#include "base/seconds.h"
#include "config/enum_names.h"
#include "config/load.h"
#include "config/values.h"
#include "telemetry/dominant_phase.h"

namespace trunkline::admin {
namespace {

constexpr std::size_t shown_by_default = 100;

/// A text that may be missing is null rather than empty.
json known(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json pooled_json(const std::optional<session::pooled_view>& of) {
  if (!of) return nullptr;
  return {{"mode", of->mode},
          {"user", of->user},
          {"connection", of->server ? json(of->server->number) : json(nullptr)},
          {"waitSeconds", of->waits ? json(of->wait_seconds) : json(nullptr)},
          {"pinned", known(of->pinned)},
          {"pinnedSeconds", of->pinned.empty() ? json(nullptr) : json(of->pinned_seconds)},
          {"asleep", of->asleep}};
}

json leg_json(const std::optional<session::leg_view>& of) {
  if (!of) return nullptr;
  return {{"rttSeconds", of->rtt_seconds}, {"retransmits", of->retransmits}};
}

json session_json(const session::session_view& of) {
  return {{"id", of.id},
          {"state", of.state},
          {"route", known(of.route)},
          {"upstream", known(of.upstream)},
          {"user", known(of.user)},
          {"principal", known(of.principal)},
          {"policy", known(of.policy)},
          {"database", known(of.database)},
          {"applicationName", known(of.application_name)},
          {"client", of.client},
          {"listener", of.listener},
          {"tls", known(of.tls)},
          {"serverName", known(of.server_name)},
          {"endpoint", known(of.endpoint)},
          {"serverTls", known(of.server_tls)},
          {"local", known(of.local)},
          {"serverPid", of.server_pid == 0 ? json(nullptr) : json(of.server_pid)},
          {"worker", of.worker},
          {"transactionStatus", std::string(1, of.transaction_status)},
          {"started", rfc3339(of.started)},
          {"seconds", of.seconds},
          {"idleSeconds", of.idle_seconds},
          {"exchangeSeconds", of.exchange_seconds},
          {"bytesIn", of.bytes_in},
          {"bytesOut", of.bytes_out},
          {"exchanges", of.exchanges},
          {"legs", {{"client", leg_json(of.client_leg)}, {"server", leg_json(of.server_leg)}}},
          {"pooled", pooled_json(of.pooled)}};
}

json exchange_json(const telemetry::flight_record& of, statement_text& statements) {
  json times{{"total", seconds_of(of.facts.total)}};
  for (std::size_t i = 0; i < telemetry::phase_count; ++i)
    times[std::string(telemetry::phase_names[i])] = seconds_of(of.facts.phases[i]);
  const auto most = telemetry::dominant_phase_of(of.facts);
  const bool failed = of.facts.code != sqlstate();
  return {{"session", of.session},
          {"began", rfc3339(of.began)},
          {"kind", telemetry::exchange_kind_names[static_cast<std::size_t>(of.facts.kind)]},
          {"outcome", telemetry::outcome_names[static_cast<std::size_t>(of.facts.how)]},
          {"sqlstate", failed ? json(of.facts.code.view()) : json(nullptr)},
          {"route", known(of.route)},
          {"user", known(of.user)},
          {"database", known(of.database)},
          {"applicationName", known(of.application_name)},
          {"client", known(of.client)},
          {"endpoint", known(of.endpoint)},
          {"seconds", times},
          {"dominant",
           {{"phase", most.name},
            {"seconds", seconds_of(most.time)},
            {"share", most.share},
            {"meaning", most.meaning}}},
          {"bytesIn", of.facts.bytes_in},
          {"bytesOut", of.facts.bytes_out},
          {"transactionStatus", std::string(1, of.facts.transaction_status)},
          {"statement", known(statements.normalised(of.statement))}};
}

json exchanges_json(const std::vector<telemetry::flight_record>& of, std::size_t most,
                    statement_text& statements) {
  json list = json::array();
  for (std::size_t i = 0; i < std::min(of.size(), most); ++i)
    list.push_back(exchange_json(of[i], statements));
  return list;
}

http_response no_configuration() {
  return error_response(503, "no configuration is in force yet");
}

}  // namespace

http_response sessions_page(session::observer& seen, const http_request& request) {
  query asked(request, {"route", "user", "database", "state", "applicationName", "limit"});
  const std::size_t most = asked.count("limit", shown_by_default, limits::admin_sessions);
  if (asked.refusal()) return *asked.refusal();
  auto view = seen.sessions();
  const auto differs = [&](std::string_view name, const std::string& value) {
    const auto wanted = asked.text(name);
    return wanted && *wanted != value;
  };
  std::erase_if(view.sessions, [&](const session::session_view& each) {
    return differs("route", each.route) || differs("user", each.user) || differs("database", each.database) ||
           differs("state", each.state) || differs("applicationName", each.application_name);
  });
  std::sort(view.sessions.begin(), view.sessions.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  json list = json::array();
  for (std::size_t i = 0; i < std::min(view.sessions.size(), most); ++i)
    list.push_back(session_json(view.sessions[i]));
  return json_response({{"matching", view.sessions.size()}, {"complete", view.complete}, {"sessions", list}});
}

http_response session_page(session::observer& seen, std::string_view id) {
  const auto number = config::parse_integer(id);
  if (!number) return error_response(404, "a session has a number");
  const auto view = seen.sessions();
  for (const auto& each : view.sessions) {
    if (each.id == static_cast<std::uint64_t>(*number)) return json_response(session_json(each));
  }
  if (!view.complete)
    return error_response(503, "a worker did not answer in time; the session may be one of its");
  return error_response(404, "there is no such session now");
}

namespace {

template <class Value>
json known(const std::optional<Value>& value) {
  return value ? json(*value) : json(nullptr);
}

template <class Number>
json unless_zero(Number value) {
  return value == 0 ? json(nullptr) : json(value);
}

json endpoint_json(const session::endpoint_view& each) {
  return {{"name", each.name},
          {"addresses", each.addresses},
          {"zone", known(each.zone)},
          {"state", each.state},
          {"role", each.role},
          {"lastSaid", known(each.said)},
          // As a text: it does not fit into a number of JavaScript.
          {"systemIdentifier",
           each.system_identifier == 0 ? json(nullptr) : json(std::to_string(each.system_identifier))},
          {"timeline", unless_zero(each.timeline)},
          {"version", unless_zero(each.version)},
          {"lagSeconds", known(each.lag_seconds)},
          {"lagBytes", known(each.lag_bytes)},
          {"sinceSeconds", each.since_seconds},
          {"askedSeconds", known(each.asked_seconds)},
          {"ejectedSeconds", each.ejected_seconds},
          {"sessions", each.sessions},
          {"loginsWaiting", each.logins_waiting},
          {"loginsUnderWay", each.logins_under_way}};
}

json discovery_json(const session::upstream_view& each) {
  json made = {{"problem", known(each.discovery_problem)}, {"failures", each.discovery_failures}};
  if (each.discovery_age_seconds) made["ageSeconds"] = *each.discovery_age_seconds;
  return made;
}

json upstream_json(const session::upstream_view& each) {
  json endpoints = json::array();
  for (const auto& one : each.endpoints)
    endpoints.push_back(endpoint_json(one));
  return {{"name", each.name},
          {"generation", each.generation},
          {"primary", known(each.primary)},
          {"paused", each.paused},
          {"held", each.held},
          {"failovers", each.failovers},
          {"lastGapSeconds", each.last_gap_seconds},
          {"discovery", discovery_json(each)},
          {"endpoints", endpoints}};
}

}  // namespace

http_response upstreams_page(session::observer& seen) {
  const auto settings = seen.settings();
  if (settings == nullptr) return no_configuration();
  std::map<std::string_view, std::uint64_t> open;
  for (const auto* each : seen.routes())
    open[each->upstream] += each->open_sessions();
  json list = json::array();
  for (const auto& view : seen.upstreams()) {
    json made = upstream_json(view);
    const auto count = open.find(view.name);
    made["sessions"] = count == open.end() ? 0 : count->second;
    const auto configured = std::find_if(settings->upstreams.begin(), settings->upstreams.end(),
                                         [&](const auto& each) { return each.name == view.name; });
    if (configured != settings->upstreams.end())
      made["tls"] = config::name_of(config::upstream_tls_modes, configured->tls.mode);
    list.push_back(std::move(made));
  }
  return json_response({{"upstreams", list}});
}

http_response exchanges_page(session::observer& seen, const http_request& request,
                             statement_text& statements) {
  query asked(request, {"limit"});
  const std::size_t most = asked.count("limit", shown_by_default, limits::admin_sessions);
  if (asked.refusal()) return *asked.refusal();
  const auto view = seen.exchanges();
  return json_response({{"windowSeconds", seconds_of(limits::slow_window)},
                        {"slowest", exchanges_json(view.slowest, most, statements)},
                        {"failed", exchanges_json(view.failed, most, statements)}});
}

namespace {

json pool_json(const session::pool_view& of) {
  return {{"upstream", of.upstream},
          {"target", of.target},
          {"route", of.route},
          {"database", of.database},
          {"user", of.user},
          {"mode", known(of.pool_mode)},
          {"size", of.size},
          {"minIdle", of.min_idle},
          {"clients", {{"active", of.cl_active}, {"waiting", of.cl_waiting}}},
          {"connections",
           {{"active", of.sv_active},
            {"idle", of.sv_idle},
            {"opening", of.sv_login},
            {"resetting", of.sv_tested}}},
          {"longestWaitSeconds", static_cast<double>(of.maxwait_us) / 1e6},
          {"waits", of.waits},
          {"waitedSeconds", static_cast<double>(of.waited_us) / 1e6}};
}

}  // namespace

http_response pools_page(session::observer& seen, const http_request& request) {
  query asked(request, {"upstream", "route", "user", "database", "limit"});
  const std::size_t most = asked.count("limit", shown_by_default, limits::admin_sessions);
  if (asked.refusal()) return *asked.refusal();
  auto all = seen.pools();
  const auto differs = [&](std::string_view name, const std::string& value) {
    const auto wanted = asked.text(name);
    return wanted && *wanted != value;
  };
  std::erase_if(all, [&](const session::pool_view& each) {
    return differs("upstream", each.upstream) || differs("route", each.route) || differs("user", each.user) ||
           differs("database", each.database);
  });
  json list = json::array();
  for (std::size_t i = 0; i < std::min(all.size(), most); ++i)
    list.push_back(pool_json(all[i]));
  return json_response({{"matching", all.size()}, {"pools", list}});
}

http_response prepared_page(session::observer& seen, const http_request& request,
                            statement_text& statements) {
  query asked(request, {"limit"});
  const std::size_t most = asked.count("limit", shown_by_default, limits::prepared_shown);
  if (asked.refusal()) return *asked.refusal();
  const auto all = seen.prepared();
  json list = json::array();
  for (std::size_t i = 0; i < std::min(all.size(), most); ++i) {
    list.push_back({{"name", all[i].name},
                    {"uses", all[i].uses},
                    {"clients", all[i].users},
                    {"statement", known(statements.normalised(all[i].text))}});
  }
  return json_response({{"statements", list}});
}

http_response audit_page(session::observer& seen) {
  const auto view = seen.audit();
  return json_response({{"enabled", view.enabled},
                        {"blocked", view.blocked},
                        {"problem", known(view.problem)},
                        {"events", view.events},
                        {"dropped", view.dropped},
                        {"lagSeconds", view.lag_seconds}});
}

http_response config_page(session::observer& seen) {
  const auto settings = seen.settings();
  if (settings == nullptr) return no_configuration();
  const auto effective = json::parse(config::render_json(*settings), nullptr, false);
  if (effective.is_discarded()) return error_response(500, "the configuration cannot be shown");
  return json_response(
      {{"generation", settings->generation}, {"file", settings->file}, {"config", effective}});
}

json access_policies(session::observer& seen) {
  const auto settings = seen.settings();
  if (settings == nullptr) return json::array();
  const auto effective = json::parse(config::render_json(*settings), nullptr, false);
  if (!effective.contains("access") || !effective["access"].contains("policies")) return json::array();
  return effective["access"]["policies"];
}

}  // namespace trunkline::admin
