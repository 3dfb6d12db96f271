#include "session/verifier_lookup.h"

#include <utility>
#include <variant>

#include "protocol/notice_fields.h"
#include "protocol/query_messages.h"
#include "protocol/row_messages.h"
#include "session/server_start.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

known_user unknown_user(const login_context& context, std::uint32_t iterations) {
  return {.verifier = auth::fake_verifier(context.startup.user, context.shared->fake_salt_secret, iterations),
          .exists = false};
}

/// A verifier for a password that is known as such. The salt is stable, so that the derived keys are cached.
runtime::task<step<known_user>> from_password(login_context* context, secret_text password,
                                              std::uint32_t iterations) {
  const std::string user(context->startup.user);
  const auto salt = auth::stable_salt(user, context->shared->fake_salt_secret);
  auto keys =
      co_await pool::derive_keys(context->deriver(), &context->changed, user, password, salt, iterations);
  if (!keys) {
    co_return std::unexpected(login_end{.cause = {cause::limit},
                                        .tell = error{.code = sqlstates::too_many_connections,
                                                      .message = "too many logins wait to be computed"}});
  }
  co_return known_user{.verifier = auth::verifier_of(*keys, salt, iterations),
                       .password = std::move(password)};
}

}  // namespace

runtime::task<step<known_user>> find_in_file(login_context* context, const auth::user_file* users,
                                             bool admitted) {
  const auth::user_secret* found = admitted ? users->find(context->startup.user) : nullptr;
  if (found == nullptr) co_return unknown_user(*context, users->usual_iterations());
  if (const auto* verifier = std::get_if<auth::verifier>(found)) co_return known_user{.verifier = *verifier};
  if (const auto* plain = std::get_if<auth::plaintext_secret>(found)) {
    co_return co_await from_password(context, plain->password, users->usual_iterations());
  }
  context->shared->log.write(
      telemetry::log_level::warning, "auth.user",
      "an md5 hash cannot authenticate with SCRAM: store a SCRAM verifier for this user",
      {{"user", std::string_view(context->facts->user.str())}});
  co_return unknown_user(*context, users->usual_iterations());
}

namespace {

std::vector<std::byte> query_messages(const config::auth_query& query, std::string_view user) {
  std::vector<std::byte> out;
  const std::optional<std::string_view> values[] = {user};
  protocol::append_parse(out, "", query.sql);
  protocol::append_bind(out, "", "", values);
  protocol::append_execute(out, "");
  protocol::append_sync(out);
  return out;
}

login_end query_failed(std::string why) {
  return {.cause = {cause::login_failed, sqlstates::internal_error},
          .detail = "auth query: " + why,
          .tell = error{.code = sqlstates::internal_error, .message = "the gateway cannot look up the user"}};
}

/// The verifier in the second column of the first row; nothing where there is no row or it is NULL.
runtime::task<step<std::optional<secret_text>>> read_answer(net::channel* server) {
  std::optional<secret_text> verifier;
  for (;;) {
    auto message = co_await read_message(server, error_source::server);
    if (!message) co_return std::unexpected(query_failed(message.error().detail));
    const char type = message->type;
    std::string problem;
    if (type == 'D') {
      auto row = protocol::decode_data_row(message->body);
      if (!row || row->size() < 2) problem = "it must return two columns, name and verifier";
      if (problem.empty() && (*row)[1]) verifier.emplace(std::string(as_text(*(*row)[1])));
    } else if (type == 'E') {
      problem = protocol::notice_fields(message->body).message();
    }
    server->consume(message->size);
    if (!problem.empty()) co_return std::unexpected(query_failed(problem));
    if (type == 'Z' && server->unread().empty()) co_return verifier;
  }
}

runtime::task<step<known_user>> from_query(login_context* context, const config::auth_query* query) {
  net::channel server(*context->loop, context->changed);
  auto wanted = search_request_of(*context);
  wanted.target = config::route_target::any;  // roles and their passwords are the same everywhere
  pool::search search(std::move(wanted), &server);
  auto found = co_await pool::search::next(&search);
  if (!found) co_return std::unexpected(login_end_of(context->client, std::move(found.error())));

  const pool::server_connection& to = found->connection;
  pool::server_login_request request{.keys = context->deriver(), .server = &server, .tls = to.tls};
  request.cleartext_is_safe = may_send_cleartext(*context, to);
  request.secret = {.user = query->user, .password = query->password};
  const std::string database = query->database.empty() ? context->facts->database.str() : query->database;
  const protocol::startup_parameter parameters[] = {
      {"user", query->user}, {"database", database}, {"application_name", "trunkline auth query"}};
  protocol::append_startup_message(request.startup_packet, {3, 0}, parameters);
  if (auto done = co_await pool::log_in_to_server(std::move(request)); !done) {
    co_return std::unexpected(query_failed(done.error().why.message));
  }
  found->turn.worked();
  // What comes before the first ReadyForQuery is read with the answer: ParameterStatus, BackendKeyData.
  for (;;) {
    auto message = co_await read_message(&server, error_source::server);
    if (!message) co_return std::unexpected(query_failed(message.error().detail));
    const bool ready = message->type == 'Z';
    std::string problem;
    if (message->type == 'E') problem = protocol::notice_fields(message->body).message();
    server.consume(message->size);
    if (!problem.empty()) co_return std::unexpected(query_failed(problem));
    if (ready) break;
  }
  server.write(query_messages(*query, context->startup.user));
  auto text = co_await read_answer(&server);
  if (!text) co_return std::unexpected(std::move(text.error()));
  std::vector<std::byte> goodbye;
  protocol::append_terminate(goodbye);
  server.write(goodbye);
  if (!*text) co_return unknown_user(*context, auth::default_iterations);
  auto verifier = auth::parse_verifier((*text)->reveal());
  if (!verifier) {
    context->shared->log.write(telemetry::log_level::warning, "auth.user",
                               "the auth query's answer is not a SCRAM verifier",
                               {{"user", std::string_view(context->facts->user.str())}});
    co_return unknown_user(*context, auth::default_iterations);
  }
  co_return known_user{.verifier = std::move(*verifier)};
}

}  // namespace

runtime::task<step<known_user>> find_user(login_context* context) {
  const config::route& route = *context->facts->route;
  const auto index = static_cast<std::size_t>(&route - context->settings().routes.data());
  if (const auto* users = context->facts->setup->route_users[index].get()) {
    co_return co_await find_in_file(context, users, true);
  }
  if (route.auth.query) co_return co_await from_query(context, &*route.auth.query);
  // Only credentials: one user, whose password the gateway knows.
  if (route.login && route.login->usual.user == context->startup.user) {
    co_return co_await from_password(context, route.login->usual.password, auth::default_iterations);
  }
  co_return unknown_user(*context, auth::default_iterations);
}

}  // namespace trunkline::session
