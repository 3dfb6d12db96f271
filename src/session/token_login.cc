#include "session/token_login.h"

#include <chrono>
#include <utility>
#include <variant>

#include "auth/oauthbearer.h"
#include "protocol/authentication.h"
#include "runtime/work_pool.h"
#include "session/certificate_login.h"
#include "session/login_turn.h"

namespace trunkline::session {

namespace {

using identity::token_checker;

auth::wall_time wall_now() {
  return std::chrono::system_clock::now();
}

const token_checker& checker_of(const login_context& context) {
  const auto& setup = *context.facts->setup;
  const auto index = static_cast<std::size_t>(context.facts->route - context.settings().routes.data());
  return *setup.route_tokens[index];
}

/// Nobody's fault who logs in, and no guess: who checks tokens cannot be reached.
login_end cannot_check(std::string reason) {
  auto why = refused({.reaction = error_reaction::retry,
                      .code = sqlstates::cannot_connect_now,
                      .message = "the gateway cannot check tokens at the moment",
                      .hint = "Try again later; the gateway's log says what it waits for."});
  why.detail = std::move(reason);
  return why;
}

login_end crowded() {
  return {.cause = {telemetry::cause::limit},
          .detail = "too many tokens wait to be checked",
          .tell = error{.code = sqlstates::too_many_connections,
                        .message = "too many logins wait to be computed"}};
}

/// Whoever reads a token has it: it travels over TLS, or does not leave this machine.
step<> check_road(const login_context& context) {
  if (context.client_tls != nullptr) return {};
  const bool near = context.listener().address.is_local() && !context.listener().speaks_proxy_protocol();
  if (near) return {};
  return std::unexpected(refused({.source = error_source::client,
                                  .code = sqlstates::invalid_authorization,
                                  .message = "tokens are taken over TLS only",
                                  .hint = "Connect with sslmode=require or stricter."}));
}

/// The client's next message, which must be an answer ('p'); left in the channel.
runtime::task<step<protocol::frame>> read_answer(login_context* context) {
  auto message = co_await read_message(&context->client, error_source::client);
  if (!message) co_return std::unexpected(std::move(message.error()));
  if (message->type == 'X')
    co_return std::unexpected(login_end{.cause = {telemetry::cause::client_terminate}});
  if (message->type == 'p') co_return *message;
  co_return std::unexpected(violation_by(error_source::client, {.source = error_source::client,
                                                                .code = sqlstates::protocol_violation,
                                                                .message = "expected password response"}));
}

// ---- the token, as the client sends it ----

runtime::task<step<secret_text>> ask_password(login_context* context) {
  std::vector<std::byte> out;
  protocol::append_authentication_cleartext_password(out);
  context->client.write(out);
  auto message = co_await read_answer(context);
  if (!message) co_return std::unexpected(std::move(message.error()));
  const auto password = protocol::decode_password_message(message->body);
  if (!password) co_return std::unexpected(violation_by(error_source::client, password.error()));
  secret_text token{std::string(*password)};
  context->client.consume(message->size);
  co_return token;
}

result<std::string> bearer_of(byte_span body) {
  const auto initial = protocol::decode_sasl_initial_response(body);
  if (!initial) return fail(initial.error());
  if (initial->mechanism != protocol::oauthbearer || !initial->data) {
    return fail({.source = error_source::client,
                 .code = sqlstates::protocol_violation,
                 .message = "client selected an invalid SASL authentication mechanism"});
  }
  const auto token = auth::parse_oauthbearer(*initial->data);
  if (!token) return fail(token.error());
  return std::string(*token);
}

runtime::task<step<secret_text>> ask_bearer(login_context* context) {
  std::vector<std::byte> out;
  constexpr std::string_view mechanisms[] = {protocol::oauthbearer};
  protocol::append_authentication_sasl(out, mechanisms);
  context->client.write(out);
  auto message = co_await read_answer(context);
  if (!message) co_return std::unexpected(std::move(message.error()));
  auto token = bearer_of(message->body);
  context->client.consume(message->size);
  if (!token) co_return std::unexpected(violation_by(error_source::client, token.error()));
  co_return secret_text(std::move(*token));
}

std::string discovery_of(std::string_view issuer) {
  while (issuer.ends_with('/'))
    issuer.remove_suffix(1);
  return std::string(issuer) + "/.well-known/openid-configuration";
}

/// A client whose token will not do is told where to get one, and has to say that it has read it (RFC 7628
/// section 3.2.3), before it hears that it failed.
runtime::task<step<>> tell_discovery(login_context* context) {
  const auto& jwt = *context->facts->route->auth.jwt;
  std::vector<std::byte> out;
  const std::string failure = auth::oauthbearer_failure(jwt.scope, discovery_of(jwt.keys.issuer));
  protocol::append_authentication_sasl_continue(out, as_bytes(failure));
  context->client.write(out);
  auto message = co_await read_answer(context);
  if (!message) co_return std::unexpected(std::move(message.error()));
  const bool understood = auth::is_oauthbearer_acknowledgement(protocol::decode_sasl_response(message->body));
  context->client.consume(message->size);
  if (understood) co_return step<>();
  co_return std::unexpected(violation_by(error_source::client, {.source = error_source::client,
                                                                .code = sqlstates::protocol_violation,
                                                                .message = "malformed OAUTHBEARER message"}));
}

// ---- whose it is ----

using found_identity = step<std::shared_ptr<const auth::identity>>;

/// By the keys that are known, off the loop.
runtime::task<step<token_checker::checked>> check_signature(login_context* context, secret_text token) {
  runtime::job<token_checker::checked> slow(*context->loop, context->shared->work, context->changed);
  const bool taken = slow.start([setup = context->facts->setup, by = &checker_of(*context),
                                 token = std::move(token)] { return by->check(token.reveal(), wall_now()); });
  if (!taken) co_return std::unexpected(crowded());
  while (!slow.done()) {
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
  co_return slow.take();
}

/// Waits for what the issuer answers now. False: it is not asked again so soon.
runtime::task<step<bool>> ask_issuer(login_context* context) {
  identity::issuer* const issuer = checker_of(*context).keys_from();
  if (issuer == nullptr) co_return false;
  identity::question asked(*context->loop, context->changed);
  if (!issuer->ask(asked)) co_return false;
  while (!asked.answered()) {
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
  co_return true;
}

/// The reason why a token is refused whose key is not known.
login_end no_key(const login_context& context, std::string reason) {
  const identity::issuer* const issuer = checker_of(context).keys_from();
  if (issuer == nullptr) return not_proved(context, std::move(reason));
  auto seen = issuer->look();
  if (seen.keys != nullptr) return not_proved(context, std::move(reason));
  return cannot_check("the issuer's keys are not known: " + seen.problem);
}

runtime::task<found_identity> by_signature(login_context* context, secret_text token) {
  for (bool again = false;; again = true) {
    auto checked = co_await check_signature(context, token);
    if (!checked) co_return std::unexpected(std::move(checked.error()));
    if (auto* who = std::get_if<auth::identity>(&checked->verdict)) {
      co_return checker_of(*context).remember(token.reveal(), std::move(*who), checked->keys, wall_now());
    }
    auto& why = std::get<auth::token_refusal>(checked->verdict);
    if (!why.key_is_unknown) co_return std::unexpected(not_proved(*context, std::move(why.reason)));
    bool newer = false;
    if (!again) {
      auto asked = co_await ask_issuer(context);
      if (!asked) co_return std::unexpected(std::move(asked.error()));
      newer = *asked;
    }
    if (!newer) co_return std::unexpected(no_key(*context, std::move(why.reason)));
  }
}

using review = result<auth::token_verdict>;

runtime::task<step<review>> ask_api_server(login_context* context, secret_text token) {
  identity::reviewer* const reviewer = checker_of(*context).reviewer();
  runtime::job<review> slow(*context->loop, reviewer->threads(), context->changed);
  const bool taken = slow.start(
      [setup = context->facts->setup, reviewer, token = std::move(token)] { return reviewer->ask(token); });
  if (!taken) co_return review(fail({.message = "too many tokens wait for the API server"}));
  while (!slow.done()) {
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
  co_return slow.take();
}

/// The API server's word; where it has none, the signature's.
runtime::task<found_identity> by_review(login_context* context, secret_text token) {
  auto asked = co_await ask_api_server(context, token);
  if (!asked) co_return std::unexpected(std::move(asked.error()));
  const token_checker& checker = checker_of(*context);
  if (!*asked) {
    const std::string problem = asked->error().message;
    if (!checker.checks_signatures()) co_return std::unexpected(cannot_check(problem));
    context->shared->log.write(telemetry::log_level::warning, "tokenreview",
                               "the API server cannot be asked, the token's signature decides: " + problem);
    co_return co_await by_signature(context, std::move(token));
  }
  if (auto* why = std::get_if<auth::token_refusal>(&**asked))
    co_return std::unexpected(not_proved(*context, std::move(why->reason)));
  auto who = std::get<auth::identity>(std::move(**asked));
  who.until = auth::claimed_end(token.reveal());
  const auto now = wall_now();
  if (who.until && *who.until <= now)
    co_return std::unexpected(not_proved(*context, "the token has expired"));
  co_return checker.remember(token.reveal(), std::move(who), {}, now);
}

runtime::task<found_identity> find_identity(login_context* context, secret_text token) {
  const token_checker& checker = checker_of(*context);
  if (auto known = checker.remembered(token.reveal(), wall_now())) co_return known;
  if (auto turn = co_await wait_for_turn(context); !turn) co_return std::unexpected(std::move(turn.error()));
  if (token.reveal().size() > limits::token_bytes)
    co_return std::unexpected(not_proved(*context, "the token is too long"));
  if (checker.reviewer() != nullptr) co_return co_await by_review(context, std::move(token));
  co_return co_await by_signature(context, std::move(token));
}

runtime::task<step<>> judge(login_context* context, secret_text token) {
  auto who = co_await find_identity(context, std::move(token));
  step<> taken;
  if (!who) {
    taken = std::unexpected(std::move(who.error()));
  } else {
    taken = take_identity(*context, std::move(*who));
  }
  if (!taken) note_failure(*context, taken.error());
  co_return taken;
}

runtime::task<step<>> prove_by_bearer(login_context* context) {
  auto token = co_await ask_bearer(context);
  if (!token) co_return std::unexpected(std::move(token.error()));
  step<> proved;
  if (token->empty()) {
    proved = std::unexpected(not_proved(*context, "the client has no token and asks where to get one"));
  } else {
    proved = co_await judge(context, std::move(*token));
  }
  const bool token_failed = !proved && proved.error().cause.what == telemetry::cause::login_failed &&
                            proved.error().cause.code == sqlstates::invalid_authorization;
  if (!token_failed) co_return proved;
  auto told = co_await tell_discovery(context);
  if (!told) co_return told;
  co_return proved;
}

}  // namespace

runtime::task<step<>> prove_by_token(login_context* context) {
  if (auto road = check_road(*context); !road) co_return road;
  const auto& jwt = context->facts->route->auth.jwt;
  if (jwt && jwt->offer == config::token_offer::oauthbearer) co_return co_await prove_by_bearer(context);
  auto token = co_await ask_password(context);
  if (!token) co_return std::unexpected(std::move(token.error()));
  co_return co_await judge(context, std::move(*token));
}

}  // namespace trunkline::session
