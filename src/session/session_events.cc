#include "session/session_events.h"

#include <chrono>
#include <utility>

#include "base/seconds.h"
#include "net/socket.h"

namespace trunkline::session {
namespace {

std::string_view method_of(const session_facts& facts) {
  if (facts.opaque) return "passthrough";
  if (facts.route == nullptr) return "";
  switch (facts.route->auth.method) {
    case config::auth_method::server:
      return "server";
    case config::auth_method::scram:
      return "scram";
    case config::auth_method::trust:
      return "trust";
    case config::auth_method::cert:
      return "cert";
    case config::auth_method::jwt:
      return "jwt";
    case config::auth_method::kubernetes:
      return "kubernetes";
  }
  return "";
}

std::optional<audit::leg_state> leg_of(const std::optional<net::tcp_facts>& facts) {
  if (!facts) return std::nullopt;
  return audit::leg_state{
      .rtt_us = facts->rtt.count(), .retransmits = facts->retransmits, .unacked = facts->unacked};
}

std::unique_ptr<audit::rare_event> event_of(const session_facts& facts, runtime::time_point when,
                                            decltype(audit::rare_event::what) what) {
  auto made = std::make_unique<audit::rare_event>();
  made->session = facts.id;
  made->when = when;
  made->what = std::move(what);
  return made;
}

}  // namespace

std::unique_ptr<audit::rare_event> session_started_event(const session_facts& facts) {
  audit::session_started what;
  what.client = facts.client;
  what.listener = facts.listener().name;
  const std::string& tls = facts.tls->version;
  const auto space = tls.find(' ');
  what.tls_version = tls.substr(0, space);
  if (space != std::string::npos) what.tls_cipher = tls.substr(space + 1);
  what.server_name = facts.tls->server_name;
  what.client_certificate = facts.tls->client_certificate;
  what.principal = facts.principal();
  what.user = facts.user;
  what.database = facts.database;
  if (facts.route != nullptr) what.route = facts.route->name;
  what.application_name = facts.application_name;
  what.replication = facts.replication;
  return event_of(facts, facts.started, std::move(what));
}

std::unique_ptr<audit::rare_event> session_login_event(const login_context& login, const login_end* why,
                                                       runtime::time_point now) {
  const session_facts& facts = *login.facts;
  audit::session_login what;
  what.method = method_of(facts);
  what.ok = why == nullptr;
  if (why != nullptr) {
    what.code = why->tell ? why->tell->code : why->cause.code;
    what.reason = why->detail;
  }
  if (facts.access->who != nullptr) {
    what.principal = facts.access->who->principal;
    what.groups = facts.access->who->groups;
  }
  if (login.decided && login.decided->by != nullptr) what.policy = login.decided->by->says.name;
  what.endpoint = facts.endpoint;
  what.server_user = facts.server_user;
  for (std::size_t i = 0; i < what.seconds.size(); ++i)
    what.seconds[i] = seconds_of(login.times[i]);
  return event_of(facts, now, std::move(what));
}

std::unique_ptr<audit::rare_event> session_ended_event(const session_facts& facts, const session_end& end,
                                                       runtime::time_point now) {
  audit::session_ended what;
  what.cause = end.cause;
  what.detail = end.detail;
  what.likely = end.likely;
  what.transaction_status = end.transaction_status;
  what.seconds = seconds_of(now - facts.started);
  what.idle_seconds = seconds_of(now - end.idle_since);
  what.bytes_in = facts.bytes_from_client;
  what.bytes_out = facts.bytes_from_server;
  what.exchanges = end.exchanges;
  what.client = leg_of(end.client_tcp);
  what.server = leg_of(end.server_tcp);
  return event_of(facts, now, std::move(what));
}

std::unique_ptr<audit::rare_event> console_command_event(const session_facts& facts, std::string command,
                                                         const error* why, runtime::time_point now) {
  return event_of(facts, now,
                  audit::operator_acted{.event = "console.command",
                                        .by = std::string(facts.principal()),
                                        .client = facts.client,
                                        .command = std::move(command),
                                        .ok = why == nullptr,
                                        .problem = why == nullptr ? "" : why->message});
}

}  // namespace trunkline::session
