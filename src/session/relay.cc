#include "session/relay.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/prefetch.h"
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

relay::relay(runtime::loop& where, observation& into, audit_gate* gate, session_facts& facts,
             relay_owner& owner, legs with, bool opaque, exchange_observer::memory seen_before)
    : loop_(where),
      facts_(facts),
      owner_(owner),
      gate_(opaque ? nullptr : gate),
      client_(*this),
      server_(*this),
      wait_(
          where.timers(), [](void* self) { static_cast<relay*>(self)->on_event(relay_event::wait_over); },
          this),
      stall_(
          where.timers(), [](void* self) { static_cast<relay*>(self)->look_again(); }, this),
      opaque_(opaque),
      watching_rest_(!opaque && facts.route->limits.transaction_timeout.count() > 0) {
  client_.stream = std::move(with.client);
  server_.stream = std::move(with.server);
  if (opaque) return;
  observer_.emplace(where, into, gate, facts);
  observer_->watch(*client_.stream, *server_.stream, std::move(seen_before));
}

relay::~relay() {
  rest(false);
  observer_.reset();
  for (auto* stream : {&client_.stream, &server_.stream}) {
    if (*stream == nullptr) continue;
    (*stream)->close();
    loop_.dispose(std::move(*stream));
  }
}

void relay::start(early from_client, early from_server) {
  client_.stream->set_handler(&client_);
  server_.stream->set_handler(&server_);
  for (buffer& each : from_client.chunks)
    client_received(std::move(each));
  for (buffer& each : from_server.chunks)
    server_received(std::move(each));
  if (ended_) return;
  // What the login has written may still wait: its reader resumes when it is gone.
  resume_client();
  resume_server();
  if (from_server.end) server_.on_end(*from_server.end);
  if (from_client.end) client_.on_end(*from_client.end);
}

void relay::client_received(buffer data) {
  if (ended_) return;
  if (must_park(client_.parked)) [[unlikely]]
    return park(client_.parked, client_.stream, std::move(data));
  carry_to_server(std::move(data));
}

void relay::carry_to_server(buffer data) {
  facts_.note_client_bytes(loop_.now());
  facts_.bytes_from_client += data.size();
  if (!opaque_) {
    if (gate_ != nullptr && gate_->blocked()) [[unlikely]]
      return on_event(relay_event::audit_blocked);
    if (walk_client(data.bytes()) == walk_result::bad) return on_event(relay_event::protocol_client);
  }
  if (server_.stream->send(std::move(data)) == sending::held) server_held();
  if (tracker_.exchanges().pipelined() > limits::pipelined_requests) [[unlikely]] {
    crowded_ = true;
    client_.stream->pause_receiving();
  }
}

walk_result relay::walk_client(byte_span chunk) {
  observer_->client_chunk(tracker_.at_message_boundary(protocol::direction::client_to_server));
  const walk_result walked = tracker_.client_bytes(chunk, *observer_);
  observer_->client_chunk_walked(chunk.size());
  return walked;
}

void relay::look_at_pipeline() {
  if (tracker_.exchanges().pipelined() > limits::pipelined_requests / 2) return;
  crowded_ = false;
  resume_client();
}

void relay::server_received(buffer data) {
  if (ended_) return;
  if (must_park(server_.parked)) [[unlikely]]
    return park(server_.parked, server_.stream, std::move(data));
  carry_to_client(std::move(data));
}

void relay::carry_to_client(buffer data) {
  facts_.note_server_bytes(loop_.now());
  facts_.bytes_from_server += data.size();
  if (!opaque_) {
    client_boundary_ = tracker_.at_message_boundary(protocol::direction::server_to_client);
    if (walk_server(data.bytes()) == walk_result::bad) return on_event(relay_event::protocol_server);
    client_boundary_ = tracker_.at_message_boundary(protocol::direction::server_to_client);
  }
  if (client_.stream->send(std::move(data)) == sending::held) client_held();
  if (crowded_) [[unlikely]]
    look_at_pipeline();
  if (watching_rest_) watch_rest();
}

walk_result relay::walk_server(byte_span chunk) {
  observer_->server_chunk(chunk.size());
  return tracker_.server_bytes(chunk, *observer_);
}

// ---- what a socket does not take ----

void relay::client_held() {
  server_.stream->pause_receiving();
  if (observer_) observer_->client_held();
  held(client_.stall);
}

void relay::server_held() {
  client_.stream->pause_receiving();
  if (observer_) observer_->server_held();
  held(server_.stall);
}

void relay::client_drained() {
  if (observer_) observer_->client_drained();
  resume_server();
  drained(client_.stall, client_.stream);
}

void relay::server_drained() {
  if (observer_) observer_->server_drained();
  resume_client();
  drained(server_.stall, server_.stream);
}

void relay::resume_client() {
  if (!crowded_ && !resting_ && client_.parked == nullptr && server_.stream->unsent() == 0)
    client_.stream->resume_receiving();
}

void relay::resume_server() {
  if (server_.parked == nullptr && client_.stream->unsent() == 0) server_.stream->resume_receiving();
}

void relay::held(stall_watch& stall) {
  const auto user_timeout = facts_.setup->socket_options.user_timeout;
  if (stall.since || user_timeout.count() == 0) return;
  stall.since = loop_.now();
  if (!stall_.armed()) stall_.arm(loop_.now() + user_timeout / 2);
}

void relay::drained(stall_watch& stall, stream_owner& drained) {
  stall.since.reset();
  if (!stall.patient) return;
  stall.patient = false;
  net::set_user_timeout(drained->native_handle(), facts_.setup->socket_options.user_timeout);
}

// ---- what the audit has no room for ----

bool relay::must_park(const parking_place& parked) {
  return gate_ != nullptr && (parked != nullptr || !gate_->open());
}

void relay::park(parking_place& parked, stream_owner& source, buffer data) {
  source->pause_receiving();
  if (parked == nullptr) parked = std::make_unique<parking>();
  parked->chunks.push_back(std::move(data));
  gate_->wait(*this);
}

void relay::gate_changed(bool open) {
  if (ended_) return;
  if (!open) return on_event(relay_event::audit_blocked);
  const auto server_end = carry_parked(server_.parked, &relay::carry_to_client);
  const auto client_end = carry_parked(client_.parked, &relay::carry_to_server);
  if (ended_) return;
  if (server_.parked != nullptr || client_.parked != nullptr) gate_->wait(*this);
  resume_client();
  resume_server();
  if (server_end) server_.on_end(*server_end);
  if (client_end) client_.on_end(*client_end);
}

/// As long as there is room. The end that came behind it, once all of it is on its way.
std::optional<stream_end> relay::carry_parked(parking_place& parked, void (relay::*carry)(buffer)) {
  if (parked == nullptr) return std::nullopt;
  auto& chunks = parked->chunks;
  while (!ended_ && !chunks.empty() && gate_->open()) {
    buffer first = std::move(chunks.front());
    chunks.erase(chunks.begin());
    (this->*carry)(std::move(first));
  }
  return chunks.empty() ? std::exchange(parked, nullptr)->end : std::nullopt;
}

void relay::look_again() {
  look_at_hold();
  look_at_stalls();
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
  look_at_hold();
}

// ---- what PAUSE and SWITCHOVER hold ----

void relay::look_at_hold() {
  if (ended_ || !facts_.lease) return;
  const bool held = facts_.lease.on()->held.load(std::memory_order_relaxed);
  if (held && !opaque_) watching_rest_ = true;  // looked at after each chunk of the server from now on
  if (held && !resting_ && idle()) {
    const auto asks_until = facts_.last_from_client + limits::newcomer_time;
    if (!is_newcomer() || loop_.now() >= asks_until)
      rest(true);
    else if (!stall_.armed())
      stall_.arm(asks_until);
  }
  if (held) return;
  if (resting_) {
    rest(false);
    resume_client();
  }
  watching_rest_ = must_watch_rest();
}

/// It has logged in and not asked anything: what it is about to send was not held when it came.
bool relay::is_newcomer() const {
  return !opaque_ && facts_.last_from_client == facts_.last_from_server;
}

/// After each chunk of the server; most sessions need not.
bool relay::must_watch_rest() const {
  return !opaque_ && (machine_.draining() || facts_.route->limits.transaction_timeout.count() > 0);
}

void relay::rest(bool resting) {
  if (resting_ == resting) return;
  resting_ = resting;
  if (resting) client_.stream->pause_receiving();
  auto& count = facts_.lease.on()->resting;
  resting ? count.fetch_add(1, std::memory_order_relaxed) : count.fetch_sub(1, std::memory_order_relaxed);
}

void relay::client_leg::on_end(stream_end end) {
  if (parked != nullptr) [[unlikely]] {
    parked->end = end;
    return;
  }
  owner.on_event(event_of(end.what, true));
}

void relay::server_leg::on_end(stream_end end) {
  if (parked != nullptr) [[unlikely]] {
    parked->end = end;
    return;
  }
  owner.on_event(event_of(end.what, false));
}

char relay::transaction_status() const {
  return opaque_ ? '-' : static_cast<char>(tracker_.status());
}

bool relay::is_replaceable() const {
  const auto rests = [](const auto& leg) { return leg.parked == nullptr && leg.stream->unsent() == 0; };
  return !opaque_ && !ended_ && tracker_.idle() && !last_word_said() && observer_->at_rest() &&
         machine_.is_fresh() && !crowded_ && !resting_ && rests(client_) && rests(server_);
}

relay_view relay::view() const {
  relay_view seen;
  seen.progress = facts_.bytes_from_client + facts_.bytes_from_server != bytes_when_armed_;
  seen.server_unsent = server_.stream->unsent() > 0;
  seen.client_unsent = client_.stream->unsent() > 0;
  if (opaque_) return seen;
  seen.busy = tracker_.busy();
  seen.idle = tracker_.idle();
  seen.replication = facts_.replication;
  seen.terminate_seen = tracker_.terminate_seen();
  seen.client_boundary = client_boundary_;
  seen.fatal = tracker_.fatal_sqlstate();
  return seen;
}

void relay::lease_nears() const {
  prefetch(client_.stream.get(), 1);
  if (observer_) observer_->lease_nears();
}

void relay::on_event(relay_event event) {
  if (ended_) return;
  perform(machine_.on(event, view()));
  if (event == relay_event::drain || event == relay_event::leave) watching_rest_ = !opaque_;
}

void relay::fail(telemetry::cause what, error why) {
  if (!ended_) perform(machine_.fail(view(), what, std::move(why)));
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
  rest(false);
  leave();
  if (observer_) observer_->ended(tracker_.fatal_sqlstate(), transaction_status());
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
