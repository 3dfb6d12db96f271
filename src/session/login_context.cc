#include "session/login_context.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "protocol/authentication.h"
#include "protocol/session_start.h"
#include "session/negotiate.h"
#include "session/pooled_server.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

cause cause_of(runtime::stream_end::kind what, error_source who) {
  const bool client = who == error_source::client;
  switch (what) {
    case runtime::stream_end::kind::fin:
      return client ? cause::client_eof : cause::server_eof;
    case runtime::stream_end::kind::timed_out:
      return client ? cause::client_timeout : cause::server_timeout;
    case runtime::stream_end::kind::tls:
      return client ? cause::tls_client : cause::tls_server;
    default:
      return client ? cause::client_reset : cause::server_reset;
  }
}

std::string failure_of(const net::channel& channel) {
  return channel.stream() == nullptr ? "" : channel.stream()->failure_text();
}

}  // namespace

bool login_context::client_version_is_long() const {
  protocol::protocol_version version = startup.version;
  if (negotiated) {
    if (auto answer = protocol::decode_negotiate_protocol_version(*negotiated);
        answer && answer->newest < version) {
      version = answer->newest;
    }
  }
  return version >= protocol::protocol_version{3, 2};
}

login_end client_ended(const net::channel& client) {
  const auto what = cause_of(client.end().what, error_source::client);
  // A load balancer's TCP check connects and leaves without a word.
  const bool probe = client.bytes_received() == 0 && what != cause::tls_client;
  return {.cause = {what}, .detail = failure_of(client), .silent = probe};
}

login_end server_ended(const net::channel& server) {
  return {.cause = {cause_of(server.end().what, error_source::server)},
          .detail = failure_of(server),
          .tell = error{.source = error_source::server,
                        .code = sqlstates::connection_failure,
                        .message = "the server closed the connection during the login"}};
}

login_end violation_by(error_source who, error why) {
  std::string detail = why.message;
  return {.cause = {who == error_source::client ? cause::protocol_client : cause::protocol_server},
          .detail = std::move(detail),
          .tell = std::move(why)};
}

login_end refused(error why) {
  std::string detail = why.message;
  return {.cause = {cause::login_failed, why.code}, .detail = std::move(detail), .tell = std::move(why)};
}

error too_many_logins() {
  return {.code = sqlstates::too_many_connections,
          .message = "too many logins are under way",
          .hint = "The listener's maxHalfOpenLogins sets the limit."};
}

login_end turned_away(const login_context& context) {
  error why = too_many_logins();
  context.shared->log.write(
      telemetry::log_level::warning, "login.refused", why.message,
      {{"listener", std::string_view(context.listener().name)}, {"cause", std::string_view("limit")}});
  return {.cause = {cause::limit}, .tell = std::move(why), .silent = true};
}

login_end over_limit(const std::string& what) {
  std::string message = "too many sessions " + what;
  return {.cause = {cause::limit},
          .detail = message,
          .tell = error{.code = sqlstates::too_many_connections, .message = std::move(message)}};
}

step<> take_principal_place(login_context& context) {
  const config::route& route = *context.facts->route;
  const std::size_t most = route.limits.max_sessions_per_principal;
  if (most == 0 || context.places.principal)
    return {};  // it keeps its place while it looks for another server
  const std::string principal(context.facts->principal());
  // Neither name holds a byte of zero.
  context.places.principal =
      context.shared->admissions.enter("principal:" + route.name + '\0' + principal, most);
  if (!context.places.principal) {
    return std::unexpected(over_limit("for \"" + principal + "\" on route \"" + route.name + "\""));
  }
  return {};
}

runtime::task<step<protocol::frame>> read_message(net::channel* from, error_source who) {
  for (;;) {
    auto read = protocol::next_frame(from->unread(), limits::login_message_bytes, who);
    if (auto* whole = std::get_if<protocol::frame>(&read)) co_return *whole;
    if (auto* wrong = std::get_if<protocol::bad>(&read))
      co_return std::unexpected(violation_by(who, wrong->why));
    if (from->ended()) {
      co_return std::unexpected(who == error_source::client ? client_ended(*from) : server_ended(*from));
    }
    co_await from->changed().wait();
  }
}

pool::search_request search_request_of(const login_context& context) {
  const auto timeout = context.listener().login_timeout;
  const auto margin = std::min<runtime::duration>(timeout / 10, std::chrono::milliseconds(500));
  pool::search_request request;
  request.connect = {.where = context.loop,
                     .upstream = &context.upstream(),
                     .tls = context.upstream_tls(),
                     .options = context.facts->setup->socket_options,
                     .client = header_for_server(context),
                     .plain = context.opaque,
                     .on_behalf_of = &context.client,
                     .guard = &context.shared->loops};
  request.of = &context.cluster();
  request.target = context.facts->target;
  request.moved = &context.moved;
  request.zone = context.settings().zone;
  request.give_up = context.facts->started + timeout - margin;
  return request;
}

established::established() = default;
established::established(established&&) noexcept = default;
established& established::operator=(established&&) noexcept = default;
established::~established() = default;

namespace {

void append_version_negotiation(const login_context& context, std::vector<std::byte>& out) {
  constexpr protocol::protocol_version newest{3, 2};
  const auto& startup = context.startup;
  if (startup.version <= newest && startup.protocol_options.empty()) return;
  std::vector<std::string_view> unknown;
  for (const auto& each : startup.protocol_options)
    unknown.push_back(each.name);
  protocol::append_negotiate_protocol_version(out, std::min(startup.version, newest), unknown);
}

}  // namespace

void negotiate_version(login_context& context) {
  if (std::exchange(context.version_told, true)) return;
  std::vector<std::byte> out;
  append_version_negotiation(context, out);
  if (!out.empty()) context.client.write(out);
}

void append_authenticated(const login_context& context, std::vector<std::byte>& out) {
  out.insert(out.end(), context.owed.begin(), context.owed.end());
  if (!context.version_told) append_version_negotiation(context, out);
  protocol::append_authentication_ok(out);
}

bool may_send_cleartext(const login_context& context, const pool::server_connection& to) {
  return to.tls != nullptr || to.place.endpoint->is_local() || context.upstream().allow_cleartext_password;
}

login_end login_end_of(const net::channel& client, pool::connect_failure why) {
  using kind = pool::connect_failure::kind;
  if (why.what == kind::abandoned) return client_ended(client);
  if (why.what == kind::moved) return {.cause = {cause::internal}, .detail = "moved", .moved = true};
  const auto what = why.what == kind::tls       ? cause::tls_server
                    : why.what == kind::crowded ? cause::limit
                                                : cause::server_unreachable;
  return {.cause = {what}, .detail = why.why.message, .tell = std::move(why.why)};
}

login_end login_end_of(pool::login_failure why) {
  using kind = pool::login_failure::kind;
  switch (why.what) {
    case kind::violation:
      return violation_by(error_source::server, std::move(why.why));
    case kind::busy:
      return {.cause = {cause::limit}, .tell = std::move(why.why)};
    case kind::ended:
      return {.cause = {cause::server_eof}, .detail = why.why.message, .tell = std::move(why.why)};
    default:
      return refused(std::move(why.why));
  }
}

runtime::task<step<>> reach_server(login_context* context) {
  if (!context->search) context->search.emplace(search_request_of(*context), &context->server);
  auto found = co_await pool::search::next(&*context->search);
  if (!found) co_return std::unexpected(login_end_of(context->client, std::move(found.error())));
  context->connection = std::move(found->connection);
  context->facts->lease = std::move(found->lease);
  context->turn = std::move(found->turn);
  context->negotiated.reset();
  co_return step<>();
}

}  // namespace trunkline::session
