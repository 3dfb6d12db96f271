#include "session/session.h"

#include <utility>

#include "protocol/error_response.h"

namespace trunkline::session {

using telemetry::cause;

session::session(session_host& host, session_facts facts, half_open_places half_open)
    : host_(host),
      facts_(std::move(facts)),
      half_open_(std::move(half_open)),
      timer_(host.where().timers(), &login_late, this),
      over_(
          host.where(),
          [](void* self) {
            auto* s = static_cast<session*>(self);
            s->host_.session_over(*s);
          },
          this) {}

session::~session() = default;

void session::start(int socket, const net::socket_address& peer) {
  facts_.started = facts_.last_bytes = facts_.bytes_before = host_.where().now();
  login_ = std::make_unique<login>(host_.where(), host_.shared(), facts_);
  timer_.arm(facts_.started + facts_.listener().login_timeout);
  login_->start(host_.where().adopt(socket), peer, &login_done, this);
}

void session::login_done(void* self) {
  static_cast<session*>(self)->finish_login();
}

void session::finish_login() {
  auto result = login_->take_result();
  half_open_ = {};
  timer_.disarm();
  if (!result) return end_login(std::move(result.error()));
  begin_relay(std::move(*result));
}

void session::login_late(void* self) {
  auto* late = static_cast<session*>(self);
  if (late->relay_ != nullptr) return limit_due(self);
  late->login_->cancel();
  late->half_open_ = {};
  late->end_login({.cause = {cause::login_timeout},
                   .tell = error{.source = error_source::client,
                                 .code = sqlstates::query_canceled,
                                 .message = "canceling authentication due to timeout",
                                 .hint = "The listener's loginTimeout sets it."}});
}

void session::end_login(login_end why) {
  login_context& context = login_->context();
  facts_.bytes_from_client = context.client.bytes_received();
  facts_.bytes_from_server = context.server.bytes_received();
  if (!why.silent) {
    session_end end{.cause = why.cause, .detail = std::move(why.detail)};
    end.idle_since = facts_.last_bytes;
    if (context.client.stream() != nullptr) end.client_socket = context.client.stream()->native_handle();
    if (context.server.stream() != nullptr) end.server_socket = context.server.stream()->native_handle();
    log_session_end(host_.shared().log, facts_, end, host_.where().now());
  }
  std::vector<std::byte> last_word;
  const bool listens = context.client.connected() && !context.opaque && !context.client.broken();
  if (why.tell && listens) last_word = protocol::error_response(*why.tell);
  const bool client_finished = context.client.ended();
  auto client = context.client.release();
  login_.reset();
  leave(std::move(client), client_finished, std::move(last_word), farewell::ending::orderly);
}

void session::begin_relay(established made) {
  login_context& context = login_->context();
  facts_.logged_in = true;
  facts_.bytes_from_client = context.client.bytes_received() - context.client.unread().size();
  facts_.bytes_from_server = context.server.bytes_received() - context.server.unread().size();
  facts_.last_bytes = host_.where().now();
  cancel_ = std::move(made.cancel);
  listener_place_ = std::move(made.listener_place);
  route_place_ = std::move(made.route_place);
  relay::legs legs;
  legs.from_client = context.client.take_unread_buffers();
  legs.from_server = context.server.take_unread_buffers();
  const auto client_end = context.client.ended() ? std::optional(context.client.end()) : std::nullopt;
  const auto server_end = context.server.ended() ? std::optional(context.server.end()) : std::nullopt;
  legs.client = context.client.release();
  legs.server = context.server.release();
  login_.reset();
  relay_ = std::make_unique<relay>(host_.where(), facts_, *this, std::move(legs), made.opaque);
  relay_->start(client_end, server_end);
  if (host_.shared().draining.load(std::memory_order_relaxed)) drain();
  watch_limits();
}

void session::drain() {
  if (relay_ != nullptr) relay_->on_event(relay_event::drain);
}

void session::stop() {
  if (relay_ != nullptr) return relay_->on_event(relay_event::drain_over);
  if (login_ == nullptr) return;
  login_->cancel();
  end_login({.cause = {cause::drain},
             .tell = error{.reaction = error_reaction::retry,
                           .code = sqlstates::cannot_connect_now,
                           .message = "the gateway is shutting down"}});
}

void session::cancel_statement() {
  if (cancel_) host_.run_cancel(cancel_.target());
}

void session::relay_ended(telemetry::close_cause why, std::vector<std::byte> last_word, bool reset_client) {
  timer_.disarm();
  session_end end{.cause = why, .transaction_status = relay_->transaction_status()};
  end.idle_since = relay_->last_word_said() ? facts_.bytes_before : facts_.last_bytes;
  end.client_socket = relay_->client()->native_handle();
  end.server_socket = relay_->server()->native_handle();
  log_session_end(host_.shared().log, facts_, end, host_.where().now());
  leave(relay_->take_client(), relay_->client_finished(), std::move(last_word),
        reset_client ? farewell::ending::reset : farewell::ending::orderly);
}

void session::leave(std::unique_ptr<runtime::byte_stream> client, bool client_finished,
                    std::vector<std::byte> last_word, farewell::ending how) {
  if (client != nullptr && client->native_handle() >= 0 &&
      (!last_word.empty() || client->unsent() > 0 || how == farewell::ending::reset)) {
    farewell_ = std::make_unique<farewell>(host_.where(), std::move(client), client_finished);
    return farewell_->start(last_word, how, &farewell_done, this);
  }
  if (client != nullptr) {
    client->close();
    host_.where().dispose(std::move(client));
  }
  over_.schedule();
}

void session::farewell_done(void* self) {
  static_cast<session*>(self)->over_.schedule();
}

// Limits of the route: one timer, moved lazily, so that a busy session never touches it.

std::optional<runtime::time_point> session::next_limit(relay_event& which) const {
  const config::route_limits& limits = facts_.route->limits;
  std::optional<runtime::time_point> first;
  const auto consider = [&](runtime::time_point due, relay_event event) {
    if (first && *first <= due) return;
    first = due;
    which = event;
  };
  if (limits.session_timeout.count() > 0) {
    consider(facts_.started + limits.session_timeout, relay_event::session_timeout);
  }
  if (limits.idle_timeout.count() > 0) {
    // A running statement, or an open transaction, is not idle, however silent: look again later.
    const auto since = relay_->idle() ? facts_.last_bytes : host_.where().now();
    consider(since + limits.idle_timeout, relay_event::idle_timeout);
  }
  if (limits.transaction_timeout.count() > 0) {
    const auto began = relay_->transaction_began().value_or(host_.where().now());
    consider(began + limits.transaction_timeout, relay_event::transaction_timeout);
  }
  return first;
}

void session::watch_limits() {
  relay_event which{};
  if (farewell_ != nullptr) return;
  if (const auto due = next_limit(which)) timer_.arm(*due);
}

void session::limit_due(void* self) {
  auto* due = static_cast<session*>(self);
  relay_event which{};
  const auto at = due->next_limit(which);
  if (!at) return;
  if (*at <= due->host_.where().now()) return due->relay_->on_event(which);
  due->timer_.arm(*at);
}

}  // namespace trunkline::session
