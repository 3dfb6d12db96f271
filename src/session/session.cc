#include "session/session.h"

#include <algorithm>
#include <utility>

#include "base/prefetch.h"
#include "base/seconds.h"
#include "net/socket.h"
#include "protocol/error_response.h"
#include "session/session_events.h"
#include "telemetry/diagnosis.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

/// Silence ends where something was sent into it: an end that follows is the answer to that.
telemetry::death death_of(const session_facts& facts, const session_end& end, bool busy,
                          runtime::time_point now) {
  telemetry::death how{.cause = end.cause, .transaction_status = end.transaction_status, .busy = busy};
  const bool client = end.cause.ended_by() == telemetry::leg::client;
  const auto heard = client ? facts.last_from_client : facts.last_from_server;
  const auto first_try = client ? facts.first_to_client : facts.first_to_server;
  how.found_on_write = first_try - heard > std::chrono::seconds(1);
  const auto idle = how.found_on_write ? first_try - heard : now - end.idle_since;
  how.idle = std::chrono::duration_cast<std::chrono::milliseconds>(idle);
  return how;
}

relay::early early_of(net::channel& leg) {
  relay::early came{.chunks = leg.take_unread_buffers()};
  if (leg.ended()) came.end = leg.end();
  return came;
}

}  // namespace

session::session(session_host& host, session_facts facts)
    : host_(host), facts_(std::move(facts)), timer_(host.where().timers(), &time_due, this) {
  facts_.audited = host.observe().gate() != nullptr;
}

session::~session() {
  if (asleep_ == nullptr) return;
  asleep_->client->close();
  host_.where().dispose(std::move(asleep_->client));
}

void session::start(int socket, const net::socket_address& peer, half_open_places half_open) {
  facts_.started = facts_.bytes_before = host_.where().now();
  facts_.last_from_client = facts_.last_from_server = facts_.started;
  login_ = std::make_unique<login>(host_.where(), host_.shared(), facts_, std::move(half_open));
  login_->context().gate = gate();
  login_->context().taker = this;
  const auto patience = facts_.listener().login_timeout;
  timer_.arm(facts_.started +
             (facts_.only_cancel ? std::min(patience, limits::half_open_cancel_time) : patience));
  login_->start(host_.where().adopt(socket), peer, &login_done, this);
}

void session::login_done(void* self) {
  static_cast<session*>(self)->finish_login();
}

void session::finish_login() {
  auto result = login_->take_result();
  facts_.opaque = login_->context().opaque;
  timer_.disarm();
  if (!result) return end_login(std::move(result.error()));
  if (result->console) return begin_console();
  begin_relay(std::move(*result));
}

void session::time_due(void* self) {
  auto* due = static_cast<session*>(self);
  if (due->over_) return due->host_.session_over(*due);
  if (due->login_ == nullptr) return due->limit_due();
  due->login_late();
}

void session::login_late() {
  const auto now = host_.where().now();
  if (const auto until = login_->context().patient_until; until > now)
    return timer_.arm(std::min(until, now + facts_.listener().login_timeout));
  login_->cancel();
  if (facts_.only_cancel) return end_login(turned_away(login_->context()));
  end_login({.cause = {cause::login_timeout},
             .tell = error{.source = error_source::client,
                           .code = sqlstates::query_canceled,
                           .message = "canceling authentication due to timeout",
                           .hint = "The listener's loginTimeout sets it."}});
}

void session::end_login(login_end why) {
  timer_.disarm();  // its last word may take longer than the login had left
  login_context& context = login_->context();
  facts_.bytes_from_client = context.client.bytes_received();
  facts_.bytes_from_server = context.server.bytes_received();
  if (context.decided) metrics().policy_decisions[static_cast<std::size_t>(context.decided->what)].add();
  if (!why.silent) {
    // Who is refused because nothing can be kept leaves nothing to be kept.
    if (why.cause.what != cause::audit_blocked || facts_.announced) {
      const bool told = std::exchange(facts_.announced, true);
      if (gate() != nullptr && !told) gate()->write(session_started_event(facts_));
      if (gate() != nullptr) gate()->write(session_login_event(context, &why, host_.where().now()));
    }
    session_end end{.cause = why.cause, .detail = std::move(why.detail)};
    end.idle_since = facts_.last_bytes();
    if (context.client.stream() != nullptr)
      end.client_tcp = net::read_tcp_facts(context.client.stream()->native_handle());
    if (context.server.stream() != nullptr)
      end.server_tcp = net::read_tcp_facts(context.server.stream()->native_handle());
    ended(std::move(end));
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
  facts_.last_from_client = facts_.last_from_server = host_.where().now();
  telemetry::route_metrics& counts = metrics();
  counts.sessions_begun.add();
  for (std::size_t i = 0; i < context.times.size(); ++i)
    counts.login_seconds[i].record(context.times[i]);
  if (context.decided) counts.policy_decisions[static_cast<std::size_t>(context.decided->what)].add();
  const guard_memory held_to{
      .by = facts_.access->policy, .rules = context.rules, .replication = facts_.replication};
  if (gate() != nullptr) gate()->write(session_login_event(context, nullptr, facts_.last_bytes()));
  cancel_ = std::move(made.cancel);
  places_ = std::move(context.places);
  relay::early from_client = early_of(context.client);
  relay::early from_server = early_of(context.server);
  relay::legs legs{.client = context.client.release(), .server = context.server.release()};
  if (made.pooled != nullptr) {
    pooled_ = made.pooled.get();
    pooled_->set_owner(this, counts.assignments);
    legs.server = std::move(made.pooled);
  } else {
    counts.assignments.add();
  }
  legs.server = guarded(std::move(legs.server), held_to);
  login_.reset();
  relay_ = std::make_unique<relay>(host_.where(), host_.observe(), gate(), facts_, *this, std::move(legs),
                                   made.opaque);
  relay_->start(std::move(from_client), std::move(from_server));
  relay_->look_at_hold();
  if (host_.ends_sessions()) drain();
  if (loses_access(host_.newest())) end_access(relay_event::access_revoked);  // since its login began
  watch_limits();
  watch_grant();
  watch_rbac();
}

void session::begin_console() {
  facts_.logged_in = true;
  facts_.last_from_client = facts_.last_from_server = host_.where().now();
  metrics().sessions_begun.add();
  if (gate() != nullptr) gate()->write(session_login_event(login_->context(), nullptr, facts_.last_bytes()));
  places_ = std::move(login_->context().places);
  facts_.bytes_from_server = login_->context().client.bytes_written();
  console_ = std::make_unique<console_session>(host_.where(), host_.shared(), facts_, *this,
                                               login_->context().client);
  login_.reset();
  console_->start();
  if (host_.ends_sessions()) drain();
}

void session::console_did(const std::vector<std::string>& words, const error* why) {
  std::string command;
  for (const std::string& each : words)
    command += (command.empty() ? "" : " ") + each;
  host_.shared().log.write(telemetry::log_level::info, "console.command",
                           why == nullptr ? std::string_view() : std::string_view(why->message),
                           {{"session", std::int64_t(facts_.id)},
                            {"by", facts_.principal()},
                            {"command", std::string_view(command)},
                            {"outcome", why == nullptr ? "ok" : "refused"}});
  if (gate() != nullptr)
    gate()->write(console_command_event(facts_, std::move(command), why, host_.where().now()));
}

void session::console_ended(telemetry::close_cause why, std::string detail,
                            std::vector<std::byte> last_word) {
  session_end end{
      .cause = why, .detail = std::move(detail), .transaction_status = console_->transaction_status()};
  end.idle_since = facts_.last_bytes();
  metrics().sessions_over.add();
  if (console_->client() != nullptr)
    end.client_tcp = net::read_tcp_facts(console_->client()->native_handle());
  ended(std::move(end));
  leave(console_->take_client(), console_->client_finished(), std::move(last_word),
        farewell::ending::orderly);
}

void session::drain() {
  if (waits_for_approval()) return stop();  // its request stays open for when the client is back
  if (asleep_ != nullptr) wake({});
  facts_.told_to_drain = console_ != nullptr || relay_ != nullptr;
  if (console_ != nullptr) return console_->drain();
  if (relay_ != nullptr) relay_->on_event(relay_event::drain);
}

void session::leave_server(const pool::eviction& why) {
  if (pooled_ != nullptr) return leave_pooled_server(why);
  if (relay_ == nullptr || facts_.lease.on() != why.from.get()) return;
  const routing::endpoint now{.role = why.role};
  if (!why.leaving && routing::serves(now, facts_.target)) return;
  relay_->on_event(why.at_once ? relay_event::leave_now : relay_event::leave);
}

void session::leave_pooled_server(const pool::eviction& why) {
  const pool::link* on = pooled_->link();
  if (on == nullptr || on->lease.on() != why.from.get()) return;
  if (!why.leaving && routing::serves(routing::endpoint{.role = why.role}, facts_.target)) return;
  const bool carried = pooled_->leave();
  if (why.at_once) return relay_->on_event(relay_event::leave_now);
  if (!carried) relay_->on_event(relay_event::leave);
}

void session::look_at_hold(const pool::member& of) {
  if (pooled_ != nullptr) {
    if (pooled_->link() != nullptr && pooled_->link()->lease.on() == &of) pooled_->look_at_hold();
    return;
  }
  if (relay_ != nullptr && facts_.lease.on() == &of) relay_->look_at_hold();
}

void session::configuration_changed(const std::shared_ptr<const deployment>& newer) {
  if (facts_.route == nullptr) return;
  if (loses_access(newer)) return end_access(relay_event::access_revoked);
  if (waits_in_vain(newer)) return end_wait();
  const auto& routes = newer->settings->routes;
  const auto same = std::find_if(routes.begin(), routes.end(),
                                 [&](const config::route& each) { return each.name == facts_.route->name; });
  if (same != routes.end() && same->upstream == facts_.route->upstream) return;
  if (login_ != nullptr) return login_->configuration_changed(newer);
  const bool held = facts_.lease && facts_.lease.on()->held.load(std::memory_order_relaxed);
  if (relay_ != nullptr && held) relay_->on_event(relay_event::leave);
}

void session::kill() {
  if (asleep_ != nullptr) wake({});
  if (relay_ != nullptr) return relay_->on_event(relay_event::killed);
  if (login_ == nullptr) return;
  login_->cancel();
  end_login({.cause = {cause::killed},
             .tell = error{.code = sqlstates::admin_shutdown,
                           .message = "terminating connection due to administrator command",
                           .hint = "An operator used KILL or KILL_CLIENT at the gateway's console."}});
}

void session::stop() {
  if (asleep_ != nullptr) wake({});
  if (console_ != nullptr) return console_->stop();
  if (relay_ != nullptr) return relay_->on_event(relay_event::drain_over);
  if (login_ == nullptr) return;
  login_->cancel();
  end_login({.cause = {cause::drain},
             .tell = error{.reaction = error_reaction::retry,
                           .code = sqlstates::cannot_connect_now,
                           .message = "the gateway is shutting down"}});
}

void session::cancel_statement() {
  if (pooled_ != nullptr) return take_cancel({});
  if (cancel_) host_.run_cancel(cancel_.owner().target, cancel_effort::twice, {});
}

/// The connection stays the session's until the server has heard of it.
void session::take_cancel(cancel_taker::answer done) {
  auto target = pooled_ == nullptr || leaving() ? nullptr : pooled_->begin_cancel();
  if (target == nullptr) {
    if (done) done(true);  // nothing runs: as at a server, that is no failure
    return;
  }
  target->session = facts_.id;
  target->setup = facts_.setup;
  target->upstream = facts_.route->upstream_index;
  host_.run_cancel(std::move(target), cancel_effort::once,
                   [&cancels = std::as_const(host_.shared().cancels), pid = cancel_.pid(),
                    session = facts_.id, done = std::move(done)](bool sent) mutable {
                     if (cancel_taker* const who = cancels.taker(pid, session)) who->cancel_over();
                     if (done) done(sent);
                   });
}

void session::abandoned(std::shared_ptr<cancel_target> target) {
  target->session = facts_.id;
  target->setup = facts_.setup;
  target->upstream = facts_.route->upstream_index;
  host_.run_cancel(std::move(target), cancel_effort::twice, {});
}

void session::cancel_over() {
  if (pooled_ != nullptr && !leaving()) pooled_->cancelled();
}

void session::lease_waited() {
  if (relay_ != nullptr) relay_->lease_waited();
}

void session::lease_nears(unsigned others) {
  if (relay_ == nullptr) return;
  others == 1 ? prefetch(relay_.get(), sizeof(relay)) : relay_->lease_nears();
}

void session::pin_changed(const char* before, const char* now) {
  telemetry::route_metrics& counts = metrics();
  if (before != nullptr) counts.unpins[telemetry::pin_reason_of(before)].add();
  if (now != nullptr) counts.pins[telemetry::pin_reason_of(now)].add();
}

void session::pool_failed(telemetry::cause what, error why) {
  if (relay_ != nullptr) relay_->fail(what, std::move(why));
}

void session::relay_ended(telemetry::close_cause why, std::vector<std::byte> last_word, bool reset_client) {
  timer_.disarm();
  session_end end{.cause = why, .transaction_status = relay_->transaction_status()};
  end.idle_since = relay_->last_word_said() ? facts_.bytes_before : facts_.last_bytes();
  end.client_tcp = net::read_tcp_facts(relay_->client()->native_handle());
  end.server_tcp = net::read_tcp_facts(relay_->server()->native_handle());
  if (const exchange_observer* seen = relay_->observer()) {
    end.exchanges = seen->exchanges();
    end.slowest = seen->slowest();
  }
  telemetry::route_metrics& counts = metrics();
  counts.sessions_over.add();
  if (why.ended_by() == telemetry::leg::server && facts_.lease)
    facts_.setup->clusters[facts_.route->upstream_index]->suspect(facts_.lease.on()->id);
  if (telemetry::is_unasked(why.what)) {
    const telemetry::death how = death_of(facts_, end, !relay_->idle(), host_.where().now());
    const bool client = why.ended_by() == telemetry::leg::client;
    counts.idle_before_death[client ? 0 : 1].record(how.idle);
    end.likely = telemetry::explain(how);
  }
  ended(std::move(end));
  leave(relay_->take_client(), relay_->client_finished(), std::move(last_word),
        reset_client ? farewell::ending::reset : farewell::ending::orderly);
}

telemetry::route_metrics& session::metrics() {
  if (facts_.route == nullptr) return host_.observe().of_route("", "");
  return host_.observe().of_route(facts_.route->name, facts_.route->upstream);
}

/// Everybody who counts, writes or keeps ends hears of it here.
void session::ended(session_end end) {
  const auto now = host_.where().now();
  metrics().closes[static_cast<std::size_t>(end.cause.what)].add();
  if (gate() != nullptr && facts_.announced) gate()->write(session_ended_event(facts_, end, now));
  log_session_end(host_.shared().log, facts_, end, now);
}

void session::leave(std::unique_ptr<runtime::byte_stream> client, bool client_finished,
                    std::vector<std::byte> last_word, farewell::ending how) {
  if (client != nullptr && client->native_handle() >= 0 &&
      (!last_word.empty() || client->unsent() > 0 || how == farewell::ending::reset)) {
    farewell_ = std::make_unique<farewell>(host_.where(), std::move(client), client_finished);
    return farewell_->start(last_word, how, &be_over, this);
  }
  if (client != nullptr) {
    client->close();
    host_.where().dispose(std::move(client));
  }
  be_over(this);
}

/// From a turn of its own, since whoever calls may be a part of this session.
void session::be_over(void* self) {
  auto* done = static_cast<session*>(self);
  done->over_ = true;
  done->timer_.arm(done->host_.where().now());
}

namespace {

/// What is of its server is of the connection that it has now.
void take_pooled(session_view& seen, pooled_view of) {
  if (of.server) {
    of.server->worker = seen.worker;
    seen.endpoint = of.server->endpoint;
    seen.server_tls = of.server->tls;
    seen.server_pid = of.server->pid;
    seen.local = of.server->local;
  }
  seen.pooled = std::move(of);
}

}  // namespace

session_view session::view() const {
  session_view seen = view_of(facts_, host_.where().now());
  if (console_ != nullptr) {
    seen.transaction_status = console_->transaction_status();
    seen.state = "console";
  }
  if (asleep_ != nullptr) {
    seen.transaction_status = 'I';
    seen.state = "idle";
    seen.outlives_server = true;
    seen.exchanges = asleep_->seen.exchanges;
    seen.pooled = view_of(asleep_->server, facts_.route->pooling);
  }
  if (relay_ == nullptr) return seen;
  seen.transaction_status = relay_->transaction_status();
  seen.state = state_name(seen.transaction_status, relay_->idle());
  if (pooled_ == nullptr) {
    seen.local = net::socket_address::of_self(relay_->server()->native_handle()).text();
  } else {
    take_pooled(seen, view_of(*pooled_, host_.where().now()));
  }
  seen.outlives_server = pooled_ != nullptr && (pooled_->link() == nullptr || !pooled_->link()->unfit);
  const exchange_observer* observer = relay_->observer();
  if (observer == nullptr) return seen;
  seen.exchanges = observer->exchanges();
  seen.client_leg = observer->leg(telemetry::side::client);
  seen.server_leg = observer->leg(telemetry::side::server);
  if (const auto began = observer->exchange_began()) {
    seen.exchange_seconds = seconds_of(host_.where().now() - *began);
    seen.state = "active";
  }
  return seen;
}

}  // namespace trunkline::session
