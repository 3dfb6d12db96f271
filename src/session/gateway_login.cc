#include "session/gateway_login.h"

#include <utility>

#include "auth/scram_server.h"
#include "protocol/authentication.h"
#include "runtime/random.h"
#include "session/access_gate.h"
#include "session/certificate_login.h"
#include "session/login_turn.h"
#include "session/server_account.h"
#include "session/server_start.h"
#include "session/token_login.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

auth::scram_server make_scram(const login_context& context, const known_user& user) {
  auth::scram_server::options options;
  options.user = context.startup.user;
  options.verifier = user.verifier;
  options.user_exists = user.exists;
  options.server_nonce = runtime::random_bytes<sizeof(auth::nonce)>();
  if (context.client_tls != nullptr) {
    if (auto binding = context.client_tls->session().tls_server_end_point(); !binding.empty()) {
      options.binding = std::move(binding);
    }
  }
  return auth::scram_server(std::move(options));
}

step<auth::scram_server::step> take_answer(auth::scram_server& scram, byte_span body, bool first) {
  result<auth::scram_server::step> done;
  if (first) {
    auto initial = protocol::decode_sasl_initial_response(body);
    if (!initial) return std::unexpected(violation_by(error_source::client, initial.error()));
    done = scram.start(initial->mechanism, initial->data);
  } else {
    done = scram.respond(protocol::decode_sasl_response(body));
  }
  if (done) return std::move(*done);
  if (done.error().code == sqlstates::protocol_violation) {
    return std::unexpected(violation_by(error_source::client, done.error()));
  }
  return std::unexpected(refused(done.error()));
}

}  // namespace

runtime::task<step<pool::server_secret>> authenticate_client(login_context* context, known_user user) {
  auth::scram_server scram = make_scram(*context, user);
  std::vector<std::string_view> names;
  for (const auth::mechanism each : scram.offered())
    names.push_back(auth::name_of(each));
  std::vector<std::byte> out;
  protocol::append_authentication_sasl(out, names);
  context->client.write(out);

  for (bool first = true;; first = false) {
    auto message = co_await read_message(&context->client, error_source::client);
    if (!message) co_return std::unexpected(std::move(message.error()));
    if (message->type == 'X') co_return std::unexpected(login_end{.cause = {cause::client_terminate}});
    if (message->type != 'p') {
      co_return std::unexpected(violation_by(error_source::client, {.source = error_source::client,
                                                                    .code = sqlstates::protocol_violation,
                                                                    .message = "expected SASL response"}));
    }
    auto answer = take_answer(scram, message->body, first);
    context->client.consume(message->size);
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    out.clear();
    if (answer->finished) {
      protocol::append_authentication_sasl_final(context->owed, as_bytes(answer->reply));
      break;
    }
    protocol::append_authentication_sasl_continue(out, as_bytes(answer->reply));
    context->client.write(out);
  }
  co_return pool::server_secret{.user = std::string(context->startup.user),
                                .password = std::move(user.password),
                                .recovered = scram.recovered_keys()};
}

namespace {

runtime::task<step<pool::server_secret>> prove_by_scram(login_context* context) {
  if (auto turn = co_await wait_for_turn(context); !turn) co_return std::unexpected(std::move(turn.error()));
  auto user = co_await find_user(context);
  if (!user) co_return std::unexpected(std::move(user.error()));
  auto authenticated = co_await authenticate_client(context, std::move(*user));
  if (!authenticated) note_failure(*context, authenticated.error());
  co_return authenticated;
}

runtime::task<step<pool::server_secret>> prove(login_context* context) {
  if (context->proved) co_return *context->proved;  // before the route led elsewhere
  step<pool::server_secret> proved{pool::server_secret{.user = std::string(context->startup.user)}};
  switch (context->facts->route->auth.method) {
    case config::auth_method::server:
    case config::auth_method::trust:
      co_return proved;
    case config::auth_method::scram:
      proved = co_await prove_by_scram(context);
      break;
    case config::auth_method::cert:
      if (auto who = prove_by_certificate(*context); !who) proved = std::unexpected(std::move(who.error()));
      break;
    case config::auth_method::jwt:
    case config::auth_method::kubernetes:
      if (auto who = co_await prove_by_token(context); !who) proved = std::unexpected(std::move(who.error()));
      break;
  }
  if (proved) context->proved = *proved;
  co_return proved;
}

}  // namespace

runtime::task<step<pool::server_secret>> prove_client(login_context* context) {
  auto proved = co_await prove(context);
  if (!proved) co_return proved;
  if (auto placed = take_principal_place(*context); !placed)
    co_return std::unexpected(std::move(placed.error()));
  co_return proved;
}

namespace {

std::vector<std::byte> authenticated_messages(const login_context& context) {
  if (context.authentication_told) return {};
  std::vector<std::byte> out = context.owed;
  if (context.negotiated) protocol::message_writer(out, 'v').bytes(*context.negotiated);
  protocol::append_authentication_ok(out);
  return out;
}

bool may_try_another(const login_context& context, const pool::login_failure& why) {
  if (why.what == pool::login_failure::kind::ended) return context.search->can_go_on(context.facts->lease);
  return why.what == pool::login_failure::kind::refused && another_may_do(context, why.why.code);
}

runtime::task<step<cancel_registry::ticket>> log_in_somewhere(login_context* context,
                                                              pool::server_secret* secret) {
  if (auto found = co_await reach_server(context); !found)
    co_return std::unexpected(std::move(found.error()));
  const pool::server_connection& to = context->connection;
  pool::server_login_request request{.keys = context->deriver(), .server = &context->server, .tls = to.tls};
  request.cleartext_is_safe = may_send_cleartext(*context, to);
  context->facts->server_user = secret->user;
  request.startup_packet = startup_packet_for_server(*context);
  request.secret = *secret;
  request.at = context->interest();
  auto done = co_await pool::log_in_to_server(std::move(request));
  if (!done) {
    note_refusal_of_server(*context, done.error().why.code);
    const bool another = pool::fall_back(*secret, done.error(), context->loop->now()) ||
                         may_try_another(*context, done.error());
    auto why = login_end_of(std::move(done.error()));
    why.try_another = another;
    co_return std::unexpected(std::move(why));
  }
  if (secret->is_before)
    pool::tell_of(*secret->before, context->shared->log, context->upstream().name, secret->user);
  if (done->negotiated) context->negotiated = std::move(done->negotiated);
  co_return co_await finish_login(context, authenticated_messages(*context));
}

}  // namespace

runtime::task<step<cancel_registry::ticket>> gateway_login(login_context* context) {
  const auto began = context->loop->now();
  auto proved = co_await prove_client(context);
  if (!proved) co_return std::unexpected(std::move(proved.error()));
  const auto proved_at = context->loop->now();
  context->time(telemetry::login_phase::auth) = proved_at - began;
  if (auto admitted = co_await admit(context); !admitted)
    co_return std::unexpected(std::move(admitted.error()));
  step<pool::server_secret> secret;
  if (has_own_role(*context)) {
    secret = co_await context->shared->roles->role_for(context);
  } else {
    secret = secret_for_server(*context, std::move(*proved));
  }
  if (!secret) co_return std::unexpected(std::move(secret.error()));
  for (;;) {
    const bool with_before = secret->is_before;
    auto ticket = co_await log_in_somewhere(context, &*secret);
    context->time(telemetry::login_phase::server) = context->loop->now() - proved_at;
    if (ticket || !ticket.error().try_another) co_return ticket;
    if (secret->is_before == with_before) {
      leave_server(*context, ticket.error());
    } else {
      let_go_of_server(*context);  // it is not the server that is wrong
    }
  }
}

}  // namespace trunkline::session
