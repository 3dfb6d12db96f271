#include "session/server_start.h"

#include <utility>
#include <variant>

#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"
#include "protocol/session_start.h"
#include "session/access_gate.h"
#include "session/server_account.h"

namespace trunkline::session {

using telemetry::cause;

std::vector<std::byte> startup_packet_for_server(const login_context& context) {
  const config::route& route = *context.facts->route;
  const bool as_itself = logs_in_as_itself(context);
  const std::string server_user = context.facts->server_user.str();
  const auto settings = operator_settings(*context.facts);
  if (settings.empty() && as_itself && route.database.empty()) return context.startup_packet;
  const std::string_view database =
      route.database.empty() ? context.startup.database : std::string_view(route.database);
  std::vector<protocol::startup_parameter> parameters;
  const std::string application_name = application_name_of(context);
  bool has_database = false;
  for (protocol::startup_parameter each : context.startup.parameters) {
    has_database = has_database || each.name == "database";
    if (each.name == "database") each.value = database;
    if (each.name == "user" && !as_itself) each.value = server_user;
    parameters.push_back(each);
  }
  if (!has_database && (!as_itself || !route.database.empty())) parameters.push_back({"database", database});
  // Later ones win in PostgreSQL: the operator's settings over the client's.
  const auto principal = principal_settings(context);
  if (application_name != context.facts->application_name.str())
    parameters.push_back({"application_name", application_name});
  for (const auto* each : {&settings, &principal})
    for (const auto& [name, value] : *each)
      parameters.push_back({name, value});
  std::vector<std::byte> packet;
  protocol::append_startup_message(packet, context.startup.version, parameters);
  return packet;
}

void append_frame(std::vector<std::byte>& out, const protocol::frame& message) {
  const std::byte* begin = message.body.data() - 5;
  out.insert(out.end(), begin, begin + message.size);
}

step<> server_messages::take_key(byte_span body, std::vector<std::byte>& out) {
  auto key = protocol::decode_backend_key_data(body);
  if (!key) return std::unexpected(violation_by(error_source::server, key.error()));
  auto target = std::make_shared<cancel_target>();
  target->session = context_.facts->id;
  target->setup = context_.facts->setup;
  target->upstream = context_.facts->route->upstream_index;
  target->place = context_.connection.place;
  target->server_pid = context_.facts->server_pid = key->pid;
  target->server_key.assign(key->key.begin(), key->key.end());
  auto issued = context_.shared->cancels.add(std::move(target), context_.client_version_is_long());
  cancel_ = std::move(issued.ticket);
  if (!cancel_) {
    return std::unexpected(login_end{.cause = {cause::limit},
                                     .tell = error{.code = sqlstates::too_many_connections,
                                                   .message = "no cancel key is left for this session"}});
  }
  protocol::append_backend_key_data(out, cancel_.pid(), issued.key);
  return {};
}

bool another_may_do(const login_context& context, sqlstate refusal) {
  const bool of_server = refusal == sqlstates::cannot_connect_now || refusal == sqlstates::admin_shutdown ||
                         refusal == sqlstates::too_many_connections || context.connection.guarded.looped();
  return of_server && context.search->can_go_on(context.facts->lease);
}

void server_messages::take_parameter(byte_span body) {
  const auto status = protocol::decode_parameter_status(body);
  if (status) context_.rules.learn(status->name, status->value);
  if (status && status->name == "in_hot_standby") in_recovery_ = status->value == "on";
}

step<> server_messages::take(const protocol::frame& message, std::vector<std::byte>& out) {
  switch (message.type) {
    case 'K':
      return take_key(message.body, out);
    case 'v':
      context_.negotiated.emplace(message.body.begin(), message.body.end());
      break;
    case 'S':
      take_parameter(message.body);
      break;
    case 'Z':
      ready_ = true;
      break;
    case 'E': {
      append_frame(out, message);
      const protocol::notice_fields fields(message.body);
      login_end why{.cause = {cause::login_failed, fields.code()}, .detail = std::string(fields.message())};
      why.try_another = another_may_do(context_, fields.code());
      return std::unexpected(std::move(why));
    }
    default:
      break;  // NoticeResponse, and whatever a later version adds
  }
  append_frame(out, message);
  return {};
}

namespace {

/// The server's next message, whole and left in the channel. It may not say without end.
runtime::task<step<protocol::frame>> next_message(login_context* context, std::size_t said) {
  for (;;) {
    auto read =
        protocol::next_frame(context->server.unread(), limits::login_message_bytes, error_source::server);
    if (auto* whole = std::get_if<protocol::frame>(&read)) {
      if (said <= limits::login_answer_bytes) co_return *whole;
      read = protocol::bad{{.source = error_source::server,
                            .code = sqlstates::protocol_violation,
                            .message = "the server says too much before it is ready"}};
    }
    if (auto* wrong = std::get_if<protocol::bad>(&read))
      co_return std::unexpected(violation_by(error_source::server, wrong->why));
    if (context->server.ended()) co_return std::unexpected(server_ended(context->server));
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
}

/// Up to the next ReadyForQuery, which stands at the end of `out`.
runtime::task<step<>> read_to_ready(login_context* context, server_messages* messages,
                                    std::vector<std::byte>* out) {
  while (!messages->ready()) {
    auto message = co_await next_message(context, out->size());
    if (!message) co_return std::unexpected(std::move(message.error()));
    auto taken = messages->take(*message, *out);
    context->server.consume(message->size);
    if (!taken) co_return std::unexpected(std::move(taken.error()));
  }
  co_return step<>();
}

/// A server that does not say by itself is asked; what it answers is not for the client.
runtime::task<step<bool>> ask_for_recovery(login_context* context) {
  std::vector<std::byte> question;
  protocol::append_query(question, "SELECT pg_catalog.pg_is_in_recovery()");
  context->server.write(question);
  std::optional<bool> answer;
  std::string problem = "no answer";
  for (std::size_t said = 0;;) {
    auto message = co_await next_message(context, said);
    if (!message) co_return std::unexpected(std::move(message.error()));
    const char type = message->type;
    if (type == 'E') problem = protocol::notice_fields(message->body).message();
    if (type == 'D') {
      const auto row = protocol::decode_data_row(message->body);
      if (row && row->size() == 1 && (*row)[0]) answer = as_text(*(*row)[0]) == "t";
    }
    said += message->size;
    context->server.consume(message->size);
    if (type == 'Z') break;
  }
  if (answer) co_return *answer;
  co_return std::unexpected(
      refused({.source = error_source::server,
               .reaction = error_reaction::retry,
               .code = sqlstates::cannot_connect_now,
               .message = "whether the server is in recovery cannot be known: " + problem}));
}

bool role_matters(const login_context& context) {
  return context.facts->target == config::route_target::primary ||
         context.facts->target == config::route_target::replica;
}

/// With a single server that nobody asks there is nothing to be mixed up, and a round trip to be saved.
bool role_must_be_asked(const login_context& context) {
  if (!role_matters(context) || context.startup.replication != protocol::replication_mode::off) return false;
  const auto seen = context.cluster().now();
  return seen->known.probed || seen->known.endpoints.size() > 1;
}

login_end wrong_role(const login_context& context, bool in_recovery) {
  const std::string server = context.facts->lease.on()->name;
  const std::string route = "route \"" + context.facts->route->name + "\"";
  error why;
  why.source = error_source::server;
  why.reaction = error_reaction::retry;
  why.code = sqlstates::cannot_connect_now;
  why.message = in_recovery ? "server " + server + " is in recovery, and " + route + " wants a primary"
                            : "server " + server + " is a primary, and " + route + " wants a replica";
  why.hint = "Try again in a moment; or set target: any on the route, if any server will do.";
  login_end made{.cause = {cause::server_unreachable}, .detail = why.message, .tell = std::move(why)};
  // Where the server has authenticated the client, the client's proof was for that server alone.
  made.try_another = context.facts->route->auth.method != config::auth_method::server &&
                     context.search->can_go_on(context.facts->lease);
  return made;
}

step<> check_role(login_context& context, std::optional<bool> in_recovery) {
  if (!in_recovery) return {};
  context.cluster().tell_role(context.facts->lease.on()->id, *in_recovery);
  if (!role_matters(context)) return {};
  if (*in_recovery == (context.facts->target == config::route_target::replica)) return {};
  return std::unexpected(wrong_role(context, *in_recovery));
}

/// Whoever has to wait is told by notices, which may stand anywhere behind AuthenticationOk.
void tell_all_but_ready(login_context& context, std::vector<std::byte>& out) {
  constexpr std::ptrdiff_t ready_bytes = 6;
  const std::vector<std::byte> ready(out.end() - ready_bytes, out.end());
  out.resize(out.size() - ready.size());
  context.client.write(out);
  context.authentication_told = true;
  out = ready;
}

}  // namespace

runtime::task<step<cancel_registry::ticket>> finish_login(login_context* context,
                                                          std::vector<std::byte> out) {
  server_messages messages(*context);
  auto ready = co_await read_to_ready(context, &messages, &out);
  if (!ready) {
    // What the server refuses it says in its own words, which stand at the end of `out`.
    const bool asked_for_proof = context->facts->route->auth.method == config::auth_method::server;
    if (asked_for_proof) ready.error().try_another = false;
    if (!ready.error().tell && !ready.error().try_another) context->client.write(out);
    co_return std::unexpected(std::move(ready.error()));
  }
  std::optional<bool> in_recovery = messages.in_recovery();
  if (!in_recovery && role_must_be_asked(*context)) {
    auto answer = co_await ask_for_recovery(context);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    in_recovery = *answer;
  }
  if (auto fits = check_role(*context, in_recovery); !fits)
    co_return std::unexpected(std::move(fits.error()));
  // Where the gateway itself has asked for the proof it did so before it came here.
  if (context->facts->route->auth.method == config::auth_method::server) {
    if (context->decided && context->decided->what == access::outcome::wait)
      tell_all_but_ready(*context, out);
    if (auto admitted = co_await admit(context); !admitted) {
      let_go_of_server(*context);
      co_return std::unexpected(std::move(admitted.error()));
    }
  }
  context->client.write(out);
  co_return messages.take_cancel_ticket();
}

namespace {

void say_goodbye(login_context& context) {
  if (!context.server.connected() || context.server.ended()) return;
  std::vector<std::byte> goodbye;
  protocol::append_terminate(goodbye);
  context.server.write(goodbye);
}

}  // namespace

void let_go_of_server(login_context& context) {
  say_goodbye(context);
  context.turn = {};
  context.facts->lease = {};
}

void leave_server(login_context& context, const login_end& why) {
  say_goodbye(context);
  if (context.interest().is_closed()) {  // no fault of the server's
    context.turn = {};
  } else {
    context.turn.failed();
    context.facts->lease.on()->failed(context.loop->now(), 0.5);
    context.cluster().suspect(context.facts->lease.on()->id);
    context.search->reject(context.facts->lease, why.detail);
  }
  context.facts->lease = {};
}

}  // namespace trunkline::session
