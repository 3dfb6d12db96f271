#include "session/relay.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "net/socket.h"
#include "protocol/error_response.h"
#include "protocol/query_messages.h"

namespace trunkline::session {

using protocol::walk_result;
using runtime::buffer;
using runtime::sending;
using runtime::stream_end;

namespace {

relay_event event_of(stream_end::kind what, bool client) {
  switch (what) {
    case stream_end::kind::fin:
      return client ? relay_event::client_fin : relay_event::server_fin;
    case stream_end::kind::timed_out:
      return client ? relay_event::client_timeout : relay_event::server_timeout;
    default:
      return client ? relay_event::client_reset : relay_event::server_reset;
  }
}

}  // namespace

relay::relay(runtime::loop& where, session_facts& facts, relay_owner& owner, legs with, bool opaque)
    : loop_(where),
      facts_(facts),
      owner_(owner),
      client_(*this),
      server_(*this),
      wait_(
          where.timers(), [](void* self) { static_cast<relay*>(self)->on_event(relay_event::wait_over); },
          this),
      stall_(
          where.timers(), [](void* self) { static_cast<relay*>(self)->look_at_stalls(); }, this),
      from_client_(std::move(with.from_client)),
      from_server_(std::move(with.from_server)),
      opaque_(opaque),
      watching_rest_(!opaque && facts.route->limits.transaction_timeout.count() > 0) {
  client_.stream = std::move(with.client);
  server_.stream = std::move(with.server);
}

relay::~relay() {
  for (auto* stream : {&client_.stream, &server_.stream}) {
    if (*stream == nullptr) continue;
    (*stream)->close();
    loop_.dispose(std::move(*stream));
  }
}

void relay::start(std::optional<stream_end> client_end, std::optional<stream_end> server_end) {
  client_.stream->set_handler(&client_);
  server_.stream->set_handler(&server_);
  for (buffer& each : std::exchange(from_client_, {}))
    client_received(std::move(each));
  for (buffer& each : std::exchange(from_server_, {}))
    server_received(std::move(each));
  if (ended_) return;
  // What the login has written may still wait: its reader resumes when it is gone.
  if (server_.stream->unsent() == 0) client_.stream->resume_receiving();
  if (client_.stream->unsent() == 0) server_.stream->resume_receiving();
  if (server_end) server_.on_end(*server_end);
  if (client_end) client_.on_end(*client_end);
}

void relay::client_received(buffer data) {
  if (ended_) return;
  facts_.note_bytes(loop_.now());
  facts_.bytes_from_client += data.size();
  if (!opaque_ && tracker_.client_bytes(data.bytes()) == walk_result::bad) {
    return on_event(relay_event::protocol_client);
  }
  if (server_.stream->send(std::move(data)) == sending::held) held(server_.stall, client_.stream);
  if (tracker_.exchanges().pipelined() > limits::pipelined_requests) [[unlikely]] {
    crowded_ = true;
    client_.stream->pause_receiving();
  }
}

void relay::look_at_pipeline() {
  if (tracker_.exchanges().pipelined() > limits::pipelined_requests / 2) return;
  crowded_ = false;
  if (server_.stream->unsent() == 0) client_.stream->resume_receiving();
}

void relay::server_received(buffer data) {
  if (ended_) return;
  facts_.note_bytes(loop_.now());
  facts_.bytes_from_server += data.size();
  if (!opaque_) {
    client_boundary_ = tracker_.at_message_boundary(protocol::direction::server_to_client);
    if (tracker_.server_bytes(data.bytes()) == walk_result::bad)
      return on_event(relay_event::protocol_server);
    client_boundary_ = tracker_.at_message_boundary(protocol::direction::server_to_client);
  }
  if (client_.stream->send(std::move(data)) == sending::held) held(client_.stall, server_.stream);
  if (crowded_) [[unlikely]]
    look_at_pipeline();
  if (watching_rest_) watch_rest();
}

void relay::held(stall_watch& stall, stream_owner& source) {
  source->pause_receiving();
  const auto user_timeout = facts_.setup->socket_options.user_timeout;
  if (stall.since || user_timeout.count() == 0) return;
  stall.since = loop_.now();
  if (!stall_.armed()) stall_.arm(loop_.now() + user_timeout / 2);
}

void relay::drained(stall_watch& stall, stream_owner& drained, stream_owner& source) {
  if (!crowded_ || &source != &client_.stream) source->resume_receiving();
  stall.since.reset();
  if (!stall.patient) return;
  stall.patient = false;
  net::set_user_timeout(drained->native_handle(), facts_.setup->socket_options.user_timeout);
}

void relay::look_at_stalls() {
  if (is_gone(client_.stall, client_.stream)) return on_event(relay_event::client_timeout);
  if (is_gone(server_.stall, server_.stream)) return on_event(relay_event::server_timeout);
  if (client_.stall.since || server_.stall.since) {
    stall_.arm(loop_.now() + facts_.setup->socket_options.user_timeout / 2);
  }
}

bool relay::is_gone(stall_watch& stall, const stream_owner& stream) {
  const auto& options = facts_.setup->socket_options;
  if (!stall.since || loop_.now() - *stall.since < options.user_timeout / 2) return false;
  if (!stall.patient) {
    stall.patient = true;
    net::set_user_timeout(stream->native_handle(), std::chrono::milliseconds(0));
  }
  const auto facts = net::read_tcp_facts(stream->native_handle());
  return facts && facts->probes >= static_cast<std::uint32_t>(std::max(options.keepalive_probes, 3));
}

void relay::watch_rest() {
  const bool open = tracker_.status() != protocol::transaction_status::idle;
  if (open != transaction_began_.has_value()) {
    transaction_began_ = open ? std::optional(loop_.now()) : std::nullopt;
  }
  if (machine_.draining() && !ended_ && tracker_.idle()) on_event(relay_event::at_rest);
}

void relay::client_leg::on_end(stream_end end) {
  owner.on_event(event_of(end.what, true));
}

void relay::server_leg::on_end(stream_end end) {
  owner.on_event(event_of(end.what, false));
}

char relay::transaction_status() const {
  return opaque_ ? '-' : static_cast<char>(tracker_.status());
}

relay_view relay::view() const {
  relay_view seen;
  seen.progress = facts_.bytes_from_client + facts_.bytes_from_server != bytes_when_armed_;
  seen.server_unsent = server_.stream->unsent() > 0;
  seen.client_unsent = client_.stream->unsent() > 0;
  if (opaque_) return seen;
  seen.busy = tracker_.busy();
  seen.idle = tracker_.idle();
  seen.terminate_seen = tracker_.terminate_seen();
  seen.client_boundary = client_boundary_;
  seen.fatal = tracker_.fatal_sqlstate();
  return seen;
}

void relay::on_event(relay_event event) {
  if (ended_) return;
  perform(machine_.on(event, view()));
  if (event == relay_event::drain) watching_rest_ = !opaque_;
}

void relay::perform(relay_actions actions) {
  if (actions.cancel_statement) owner_.cancel_statement();
  if (actions.end) return end(std::move(actions));
  if (actions.finish_server) server_.stream->finish_sending();
  if (actions.finish_client) client_.stream->finish_sending();
  if (actions.wait) {
    bytes_when_armed_ = facts_.bytes_from_client + facts_.bytes_from_server;
    wait_.arm(loop_.now() + *actions.wait);
  }
}

void relay::end(relay_actions actions) {
  ended_ = true;
  wait_.disarm();
  stall_.disarm();
  if (actions.terminate_server) {
    std::vector<std::byte> goodbye;
    protocol::append_terminate(goodbye);
    buffer message = loop_.buffers().lend(runtime::buffer_size::small);
    std::copy(goodbye.begin(), goodbye.end(), message.room().begin());
    message.commit(goodbye.size());
    server_.stream->send(std::move(message));
  }
  std::vector<std::byte> last_word;
  if (actions.tell_client) last_word = protocol::error_response(*actions.tell_client);
  // The session reads what the kernel knows of both sockets first.
  owner_.relay_ended(*actions.end, std::move(last_word), actions.reset_client);
  if (actions.reset_server) {
    server_.stream->reset();
  } else {
    server_.stream->close();
  }
}

}  // namespace trunkline::session
