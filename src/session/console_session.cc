#include "session/console_session.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <variant>

#include "base/limits.h"
#include "protocol/error_response.h"
#include "protocol/frame.h"
#include "session/console_login.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

cause cause_of(runtime::stream_end::kind what) {
  switch (what) {
    case runtime::stream_end::kind::fin:
      return cause::client_eof;
    case runtime::stream_end::kind::timed_out:
      return cause::client_timeout;
    case runtime::stream_end::kind::tls:
      return cause::tls_client;
    default:
      return cause::client_reset;
  }
}

error shutting_down() {
  return {.reaction = error_reaction::retry,
          .code = sqlstates::admin_shutdown,
          .message = "terminating connection: the gateway is shutting down"};
}

}  // namespace

console_session::console_session(runtime::loop& where, services& shared, session_facts& facts,
                                 console_owner& owner, net::channel& client)
    : loop_(where),
      shared_(shared),
      facts_(facts),
      owner_(owner),
      changed_(where),
      client_(where, changed_),
      machine_(*shared.console),
      idle_(where.timers(), &idle_due, this),
      done_(where, &served, this) {
  client_.take_over(client);
}

void console_session::start() {
  idle_.arm(loop_.now() + limits::console_idle_timeout);
  task_ = serve(this);
  task_.start([](void* self) { static_cast<console_session*>(self)->done_.schedule(); }, this);
}

void console_session::drain() {
  draining_ = true;
  changed_.raise();
}

void console_session::stop() {
  if (std::exchange(stopped_, true)) return;
  task_ = {};
  done_.schedule();
}

void console_session::idle_due(void* self) {
  auto* due = static_cast<console_session*>(self);
  const auto at = due->facts_.last_bytes() + limits::console_idle_timeout;
  if (due->loop_.now() < at) return due->idle_.arm(at);
  due->idle_too_long_ = true;
  due->changed_.raise();
}

void console_session::served(void* self) {
  auto* over = static_cast<console_session*>(self);
  over->idle_.disarm();
  ending how{.cause = {cause::drain}, .tell = shutting_down()};
  if (!over->stopped_) {
    try {
      how = over->task_.take();
    } catch (const std::exception& problem) {
      how = {.cause = {cause::internal}, .detail = problem.what()};
    }
  }
  over->stopped_ = true;
  std::vector<std::byte> last_word;
  if (how.tell && !over->client_.broken() && !over->sending_) last_word = protocol::error_response(*how.tell);
  over->owner_.console_ended(how.cause, std::move(how.detail), std::move(last_word));
}

std::optional<console_session::ending> console_session::reason_to_end() const {
  if (machine_.terminated()) return ending{.cause = {cause::client_terminate}};
  if (machine_.broken()) {
    return ending{
        .cause = {cause::protocol_client}, .detail = machine_.broken()->message, .tell = machine_.broken()};
  }
  if (client_.ended()) {
    return ending{.cause = {cause_of(client_.end().what)},
                  .detail = client_.stream() == nullptr ? "" : client_.stream()->failure_text()};
  }
  if (draining_) return ending{.cause = {cause::drain}, .tell = shutting_down()};
  if (idle_too_long_) {
    return ending{.cause = {cause::idle_timeout},
                  .tell = error{.reaction = error_reaction::retry,
                                .code = sqlstates::idle_session_timeout,
                                .message = "terminating connection due to idle-session timeout"}};
  }
  return std::nullopt;
}

void console_session::note_traffic() {
  const std::uint64_t in = client_.bytes_received() - client_.unread().size();
  if (in != facts_.bytes_from_client) facts_.note_client_bytes(loop_.now());
  facts_.bytes_from_client = in;
}

runtime::task<console_session::ending> console_session::serve(console_session* self) {
  for (;;) {
    const auto read = protocol::next_frame(self->client_.unread(), limits::console_message_bytes);
    if (const auto* wrong = std::get_if<protocol::bad>(&read)) {
      co_return ending{.cause = {cause::protocol_client}, .detail = wrong->why.message, .tell = wrong->why};
    }
    const auto* whole = std::get_if<protocol::frame>(&read);
    if (whole == nullptr) {
      // Answers go out together: a driver sends several messages at a time.
      co_await self->send();
      if (auto end = self->reason_to_end()) co_return std::move(*end);
      if (!std::holds_alternative<protocol::need_more>(
              protocol::next_frame(self->client_.unread(), limits::console_message_bytes))) {
        continue;
      }
      co_await self->changed_.wait();
      continue;
    }
    self->machine_.take(whole->type, whole->body, self->out_);
    self->client_.consume(whole->size);
    self->note_traffic();
    while (self->machine_.wanted() != nullptr) {
      auto answer = co_await self->fetch(*self->machine_.wanted());
      if (self->client_.broken()) break;
      self->machine_.give(std::move(answer), self->out_);
      co_await self->send();
    }
    if (self->machine_.over() || self->client_.broken() || self->idle_too_long_) {
      co_await self->send();
      if (auto end = self->reason_to_end()) co_return std::move(*end);
    }
    if (self->out_.size() > limits::buffer_bytes_large) co_await self->send();
  }
}

/// What it does leaves a record, also where it is refused.
runtime::task<result<console_answer>> console_session::fetch(console_request request) {
  auto words = request.statement.words;
  auto answer = co_await ask_desk(std::move(request));
  if (!words.empty()) owner_.console_did(words, answer ? nullptr : &answer.error());
  co_return answer;
}

runtime::task<result<console_answer>> console_session::ask_desk(console_request request) {
  if (!request.statement.words.empty() && !may_act_at_console(facts_)) {
    co_return fail({.source = error_source::client,
                    .reaction = error_reaction::reject,
                    .code = sqlstate("42501"),
                    .message = "admin access needed",
                    .hint = "admin.console.users names who may run more than SHOW."});
  }
  runtime::job<result<console_answer>> rows(loop_, shared_.console->work(), changed_);
  const bool taken = rows.start([desk = shared_.console, request]() -> result<console_answer> {
    auto found = desk->rows(request.statement);
    if (!found) return fail(found.error());
    return write_rows(request, std::move(*found));
  });
  if (!taken) {
    co_return fail({.reaction = error_reaction::retry,
                    .code = sqlstate("53000"),
                    .message = "the console is busy: too many statements wait"});
  }
  while (!rows.done()) {
    co_await changed_.wait();
    if (client_.broken()) co_return fail({.message = "the client is gone"});
  }
  co_return rows.take();
}

runtime::task<> console_session::send() {
  std::size_t at = 0;
  while (at < out_.size()) {
    // One piece at a time: a client that takes nothing makes nothing pile up.
    while (!client_.drained() && !client_.broken() && !idle_too_long_)
      co_await changed_.wait();
    if (client_.broken() || idle_too_long_) co_return;
    const std::size_t count = std::min(out_.size() - at, limits::buffer_bytes_large);
    client_.write(byte_span(out_).subspan(at, count));
    at += count;
    sending_ = at < out_.size();
    facts_.bytes_from_server += count;
    facts_.note_server_bytes(loop_.now());
  }
  out_ = {};
}

}  // namespace trunkline::session
