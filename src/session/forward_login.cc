#include "session/forward_login.h"

#include <utility>
#include <variant>

#include "protocol/authentication.h"
#include "session/server_start.h"

namespace trunkline::session {
namespace {

/// The operator promised that both legs show the same certificate (sameCertificate). A wrong promise would
/// surface as an authentication failure that nobody understands.
step<> check_same_certificate(const login_context& context) {
  if (context.client_tls == nullptr || context.connection.tls == nullptr) return {};
  const auto ours = context.client_tls->session().tls_server_end_point();
  const auto theirs = context.connection.tls->session().tls_server_end_point();
  if (!ours.empty() && ours == theirs) return {};
  return std::unexpected(
      refused({.code = sqlstates::invalid_authorization,
               .message = "the server's certificate is not the one this listener shows, so its "
                          "SCRAM authentication cannot be passed on",
               .hint = "Set auth: {method: scram} on the route, or give both the same certificate."}));
}

/// A message of the server before AuthenticationOk; true when that one came.
step<bool> take_authentication(login_context& context, const protocol::frame& message,
                               std::vector<std::byte>& out) {
  auto decoded = protocol::decode_authentication(message.body);
  if (!decoded) return std::unexpected(violation_by(error_source::server, decoded.error()));
  const bool strip = context.client_tls == nullptr && context.connection.tls != nullptr;
  if (strip && std::holds_alternative<protocol::authentication_sasl>(*decoded)) {
    auto stripped = protocol::strip_channel_binding(message.body);
    if (!stripped) return std::unexpected(refused(stripped.error()));
    out.insert(out.end(), stripped->begin(), stripped->end());
    return false;
  }
  append_frame(out, message);
  return std::holds_alternative<protocol::authentication_ok>(*decoded);
}

/// Passes on what the server has said so far. True: AuthenticationOk was among it, and stands at the end of
/// `out`.
step<bool> pass_server_messages(login_context& context, server_messages& messages,
                                std::vector<std::byte>& out) {
  for (;;) {
    auto read =
        protocol::next_frame(context.server.unread(), limits::login_message_bytes, error_source::server);
    if (auto* wrong = std::get_if<protocol::bad>(&read)) {
      return std::unexpected(violation_by(error_source::server, wrong->why));
    }
    auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) return false;
    step<bool> done = false;
    if (whole->type == 'R') {
      done = take_authentication(context, *whole, out);
    } else if (std::string_view("ENv").find(whole->type) == std::string_view::npos) {
      done = std::unexpected(violation_by(
          error_source::server, {.source = error_source::server,
                                 .code = sqlstates::protocol_violation,
                                 .message = "unexpected message from the server before authentication"}));
    } else if (auto taken = messages.take(*whole, out); !taken) {
      done = std::unexpected(std::move(taken.error()));
    }
    context.server.consume(whole->size);
    if (!done || *done) return done;
  }
}

/// Before it is authenticated a client answers with 'p' messages and nothing else.
step<> pass_client_messages(login_context& context) {
  for (;;) {
    auto read =
        protocol::next_frame(context.client.unread(), limits::login_message_bytes, error_source::client);
    if (auto* wrong = std::get_if<protocol::bad>(&read)) {
      return std::unexpected(violation_by(error_source::client, wrong->why));
    }
    auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) return {};
    if (whole->type == 'X') {
      return std::unexpected(login_end{.cause = {telemetry::cause::client_terminate}});
    }
    if (whole->type != 'p') {
      return std::unexpected(violation_by(error_source::client, {.source = error_source::client,
                                                                 .code = sqlstates::protocol_violation,
                                                                 .message = "expected password response"}));
    }
    context.server.write(context.client.unread().first(whole->size));
    context.client.consume(whole->size);
  }
}

}  // namespace

runtime::task<step<cancel_registry::ticket>> forward_login(login_context* context) {
  if (auto same = check_same_certificate(*context); !same) co_return std::unexpected(std::move(same.error()));
  context->server.write(startup_packet_for_server(*context));
  server_messages messages(*context);
  bool asked = false;  // a client may send its first query with the start-up packet: not before it was asked
  for (;;) {
    std::vector<std::byte> out;
    auto authenticated = pass_server_messages(*context, messages, out);
    if (authenticated && *authenticated) {
      if (auto placed = take_principal_place(*context); !placed)
        authenticated = std::unexpected(placed.error());
      else
        co_return co_await finish_login(context, std::move(out));
    }
    if (!authenticated && !asked) {
      // A server that speaks nonsense is none.
      const bool nonsense = authenticated.error().cause.what == telemetry::cause::protocol_server;
      auto& why = authenticated.error();
      why.try_another = why.try_another || (nonsense && context->search->can_go_on(context->facts->lease));
      if (nonsense && !why.try_another) context->facts->lease.on()->failed(context->loop->now(), 0.5);
      if (why.try_another) co_return std::unexpected(std::move(why));
    }
    if (!asked && !out.empty()) context->turn.worked();  // now it is the client's turn: others need not wait
    asked = asked || !out.empty();
    context->client.write(out);
    if (!authenticated) {
      authenticated.error().try_another = false;
      co_return std::unexpected(std::move(authenticated.error()));
    }
    if (asked) {
      if (auto passed = pass_client_messages(*context); !passed)
        co_return std::unexpected(std::move(passed.error()));
    }
    if (context->server.ended()) {
      auto why = server_ended(context->server);
      why.try_another = !asked && context->search->can_go_on(context->facts->lease);
      co_return std::unexpected(std::move(why));
    }
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    if (!asked && context->interest().is_lost()) {
      auto why = server_ended(context->server);
      why.detail = why.tell->message = "the server was found to be down during the login";
      why.try_another = context->search->can_go_on(context->facts->lease);
      co_return std::unexpected(std::move(why));
    }
    co_await context->changed.wait();
  }
}

}  // namespace trunkline::session
