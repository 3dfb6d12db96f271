// The one log line of a session's end, with its facts (interfaces.md, "Close causes").
#include <chrono>
#include <optional>
#include <vector>

#include "base/seconds.h"
#include "net/socket.h"
#include "session/session.h"

namespace trunkline::session {

using telemetry::field;

namespace {

double seconds_between(runtime::time_point from, runtime::time_point to) {
  return seconds_of(to - from);
}

void add_tcp(std::vector<field>& fields, const std::optional<net::tcp_facts>& facts, bool client) {
  if (!facts) return;
  fields.push_back({client ? "clientRttMicros" : "serverRttMicros", facts->rtt.count()});
  fields.push_back({client ? "clientRetransmits" : "serverRetransmits", std::int64_t{facts->retransmits}});
  fields.push_back({client ? "clientUnacked" : "serverUnacked", std::int64_t{facts->unacked}});
}

void add_text(std::vector<field>& fields, std::string_view name, std::string_view value) {
  if (!value.empty()) fields.push_back({name, value});
}

}  // namespace

void log_session_end(telemetry::logger& log, const session_facts& facts, const session_end& end,
                     runtime::time_point now) {
  if (!log.enabled(telemetry::log_level::info)) return;
  const std::string why = end.cause.text();
  std::vector<field> fields{{"session", static_cast<std::int64_t>(facts.id)},
                            {"worker", std::int64_t{facts.worker}},
                            {"cause", std::string_view(why)},
                            {"leg", name_of(end.cause.ended_by())},
                            {"client", std::string_view(facts.client)},
                            {"listener", std::string_view(facts.listener().name)}};
  if (facts.route != nullptr) {
    fields.push_back({"route", std::string_view(facts.route->name)});
    fields.push_back({"upstream", std::string_view(facts.route->upstream)});
  }
  add_text(fields, "endpoint", facts.endpoint.str());
  add_text(fields, "user", facts.user.str());
  if (facts.access->who != nullptr) add_text(fields, "principal", facts.access->who->principal);
  if (facts.access->policy != nullptr) add_text(fields, "policy", facts.access->policy->says.name);
  add_text(fields, "database", facts.database.str());
  add_text(fields, "applicationName", facts.application_name.str());
  add_text(fields, "serverName", facts.tls->server_name.str());
  add_text(fields, "tls", facts.tls->version.str());
  add_text(fields, "serverTls", facts.tls->server.str());
  const std::string_view status(&end.transaction_status, 1);
  fields.push_back({"loggedIn", facts.logged_in});
  fields.push_back({"txState", status});
  fields.push_back({"seconds", seconds_between(facts.started, now)});
  fields.push_back({"idleSeconds", seconds_between(end.idle_since, now)});
  fields.push_back({"bytesIn", static_cast<std::int64_t>(facts.bytes_from_client)});
  fields.push_back({"bytesOut", static_cast<std::int64_t>(facts.bytes_from_server)});
  add_tcp(fields, end.client_tcp, true);
  add_tcp(fields, end.server_tcp, false);
  fields.push_back({"exchanges", static_cast<std::int64_t>(end.exchanges)});
  std::string_view slowest_phase;
  if (end.slowest != nullptr) {
    slowest_phase = telemetry::phase_names[static_cast<std::size_t>(telemetry::dominant(*end.slowest))];
    fields.push_back({"slowestSeconds", seconds_between({}, runtime::time_point(end.slowest->total))});
    fields.push_back({"slowestPhase", slowest_phase});
  }
  log.write(telemetry::log_level::info, "session.end", end.likely.empty() ? end.detail : end.likely, fields);
}

}  // namespace trunkline::session
