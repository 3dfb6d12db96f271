#include "session/login_turn.h"

#include "session/guess_limiter.h"

namespace trunkline::session {

namespace {

std::string where_it_comes_from(const login_context& context) {
  return source_of(context.client_address.host_text());
}

error too_many_failures() {
  return {.reaction = error_reaction::retry,
          .code = sqlstates::invalid_authorization,
          .message = "too many failed logins",
          .hint = "Try again later."};
}

}  // namespace

runtime::task<step<>> wait_for_turn(login_context* context) {
  const auto wait = context->shared->guesses.wait(where_it_comes_from(*context), context->startup.user,
                                                  context->loop->now());
  if (!wait) {
    auto why = refused(too_many_failures());
    why.detail = "too many failed logins of this user, or from this source: it was not looked at";
    co_return std::unexpected(std::move(why));
  }
  if (*wait <= runtime::duration(0)) co_return step<>();
  const auto until = context->loop->now() + *wait;
  runtime::timer over(
      context->loop->timers(), [](void* changed) { static_cast<runtime::signal*>(changed)->raise(); },
      &context->changed);
  over.arm(until);
  while (context->loop->now() < until) {
    if (context->client.ended()) co_return std::unexpected(client_ended(context->client));
    co_await context->changed.wait();
  }
  co_return step<>();
}

void note_failure(const login_context& context, const login_end& why) {
  const bool is_one =
      why.cause.what == telemetry::cause::login_failed &&
      (why.cause.code == sqlstates::invalid_password || why.cause.code == sqlstates::invalid_authorization);
  if (!is_one) return;
  context.shared->guesses.failed(where_it_comes_from(context), context.startup.user, context.loop->now());
}

}  // namespace trunkline::session
