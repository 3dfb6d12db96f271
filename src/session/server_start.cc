#include "session/server_start.h"

#include <utility>
#include <variant>

#include "protocol/notice_fields.h"
#include "protocol/session_start.h"

namespace trunkline::session {

using telemetry::cause;

std::vector<std::byte> startup_packet_for_server(const login_context& context) {
  const config::route& route = *context.facts->route;
  const bool other_user = route.login && route.auth.method != config::auth_method::server;
  if (route.parameters.empty() && !other_user) return context.startup_packet;
  std::vector<protocol::startup_parameter> parameters;
  bool has_database = false;
  for (const auto& each : context.startup.parameters) {
    has_database = has_database || each.name == "database";
    parameters.push_back(
        other_user && each.name == "user" ? protocol::startup_parameter{"user", route.login->user} : each);
  }
  if (other_user && !has_database) parameters.push_back({"database", context.startup.database});
  // Later ones win in PostgreSQL: the operator's settings over the client's.
  for (const auto& [name, value] : route.parameters)
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

step<> server_messages::take(const protocol::frame& message, std::vector<std::byte>& out) {
  switch (message.type) {
    case 'K':
      return take_key(message.body, out);
    case 'v':
      context_.negotiated.emplace(message.body.begin(), message.body.end());
      break;
    case 'Z':
      ready_ = true;
      break;
    case 'E': {
      append_frame(out, message);
      const protocol::notice_fields fields(message.body);
      return std::unexpected(
          login_end{.cause = {cause::login_failed, fields.code()}, .detail = std::string(fields.message())});
    }
    default:
      break;  // ParameterStatus, NoticeResponse, and whatever a later version adds
  }
  append_frame(out, message);
  return {};
}

runtime::task<step<cancel_registry::ticket>> finish_login(login_context* context,
                                                          std::vector<std::byte> out) {
  server_messages messages(*context);
  while (!messages.ready()) {
    auto read =
        protocol::next_frame(context->server.unread(), limits::login_message_bytes, error_source::server);
    if (auto* whole = std::get_if<protocol::frame>(&read)) {
      auto taken = messages.take(*whole, out);
      context->server.consume(whole->size);
      if (!taken) {
        context->client.write(out);
        co_return std::unexpected(std::move(taken.error()));
      }
      continue;
    }
    context->client.write(out);
    out.clear();
    if (auto* wrong = std::get_if<protocol::bad>(&read)) {
      co_return std::unexpected(violation_by(error_source::server, wrong->why));
    }
    if (context->server.ended()) co_return std::unexpected(server_ended(context->server));
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
  context->client.write(out);
  co_return messages.take_cancel_ticket();
}

}  // namespace trunkline::session
