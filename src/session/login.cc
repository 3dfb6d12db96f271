#include "session/login.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "routing/route_match.h"
#include "routing/target_option.h"
#include "session/access_gate.h"
#include "session/console_login.h"
#include "session/forward_login.h"
#include "session/gateway_login.h"
#include "session/negotiate.h"
#include "session/pooled_login.h"
#include "session/server_start.h"
#include "session/session_events.h"

namespace trunkline::session {

using telemetry::cause;

namespace {

step<> choose_route(login_context& context) {
  routing::connection_facts facts;
  facts.listener = context.listener().name;
  facts.server_name = context.facts->tls->server_name.str();
  if (!context.opaque) {
    facts.database = context.facts->database.str();
    facts.user = context.facts->user.str();
  }
  if (!context.client_address.is_unix()) {
    facts.source = config::ip_address::parse(context.client_address.host_text());
  }
  context.facts->route = routing::find_route(context.settings(), facts);
  if (context.facts->route != nullptr) return {};
  return std::unexpected(
      refused({.code = sqlstates::invalid_authorization,
               .message = "no route for database \"" + context.facts->database.str() + "\" and user \"" +
                          context.facts->user.str() + "\"",
               .hint = "The gateway's configuration decides which connections it takes."}));
}

login_end own_connection() {
  return refused({.code = sqlstates::cannot_connect,
                  .message = "this connection comes from the gateway itself",
                  .hint = "An upstream's endpoint leads back to one of the gateway's own listeners."});
}

login_end no_audit() {
  return {.cause = {cause::audit_blocked},
          .detail = "the audit cannot be written",
          .tell = error{.reaction = error_reaction::retry,
                        .code = sqlstates::io_error,
                        .message = "the gateway cannot write its audit and takes no sessions until it can",
                        .hint = "It goes on by itself when the audit's storage works again."}};
}

/// From here on the audit knows of the session.
void announce(login_context& context) {
  context.facts->opaque = context.opaque;
  context.facts->replication = context.startup.replication != protocol::replication_mode::off;
  context.facts->announced = true;
  if (context.gate != nullptr) context.gate->write(session_started_event(*context.facts));
}

step<> take_places(login_context& context) {
  const config::listener& listener = context.listener();
  context.places.listener =
      context.shared->admissions.enter("listener:" + listener.name, listener.max_sessions);
  if (!context.places.listener) return std::unexpected(over_limit("on listener \"" + listener.name + "\""));
  const config::route& route = *context.facts->route;
  if (route.limits.max_sessions == 0) return {};
  context.places.route = context.shared->admissions.enter("route:" + route.name, route.limits.max_sessions);
  if (!context.places.route) return std::unexpected(over_limit("on route \"" + route.name + "\""));
  return {};
}

/// The route's kind of server, or the client's own wish.
step<> choose_target(login_context& context) {
  context.facts->target = context.facts->route->target;
  if (context.opaque) return {};
  auto target = routing::target_of(*context.facts->route, context.startup);
  if (!target) return std::unexpected(refused(target.error()));
  context.facts->target = *target;
  return {};
}

/// DISABLE, in PgBouncer's words. As PostgreSQL: a database that is not accepting connections.
step<> ask_gate(const login_context& context) {
  const std::string& database = context.facts->database;
  if (context.opaque || context.shared->databases.lets_in(database)) return {};
  return std::unexpected(refused({.reaction = error_reaction::retry,
                                  .code = sqlstate("55000"),
                                  .message = "database \"" + database + "\" is disabled",
                                  .hint = "ENABLE at the gateway's console lets them in again."}));
}

error moved_away() {
  return {.reaction = error_reaction::retry,
          .code = sqlstates::admin_shutdown,
          .message = "the gateway's configuration has changed",
          .hint = "Connect again."};
}

/// What counts as a proof there counts here.
bool proves_the_same(const config::route_auth& before, const config::route_auth& now) {
  if (before.method != now.method) return false;
  return now.method == config::auth_method::scram || before == now;
}

/// The route that the session waits on leads elsewhere since a reload: it goes there, as if it had come now.
step<> begin_again(login_context& context) {
  session_facts& facts = *context.facts;
  const std::string listener = facts.listener().name;
  const config::route* const before = facts.route;
  const auto left = std::exchange(facts.setup, std::exchange(context.newer, nullptr));
  if (!facts.tls->version.empty() && facts.tls->of == nullptr) facts.tls.edit().of = left;
  context.moved = false;
  context.search.reset();
  context.turn = {};
  context.decided.reset();  // other policies may hold now
  if (facts.access->policy != nullptr) facts.access.edit().policy = nullptr;
  facts.lease = {};
  context.places = {};
  const auto& listeners = facts.setup->settings->listeners;
  const auto found = std::find_if(listeners.begin(), listeners.end(),
                                  [&](const auto& each) { return each.name == listener; });
  if (found == listeners.end()) return std::unexpected(refused(moved_away()));
  facts.listener_index = static_cast<std::size_t>(found - listeners.begin());
  if (auto chosen = choose_route(context); !chosen) return chosen;
  // What the client has proved it has proved for this route.
  const bool same = facts.route->name == before->name && proves_the_same(before->auth, facts.route->auth);
  if (context.proved && !same) return std::unexpected(refused(moved_away()));
  if (auto target = choose_target(context); !target) return target;
  return take_places(context);
}

void note_server(login_context& context) {
  session_facts& facts = *context.facts;
  facts.endpoint = context.connection.place.address.text();
  if (const auto* tls = context.connection.tls) {
    facts.tls.edit().server =
        std::string(tls->session().version()) + " " + std::string(tls->session().cipher());
  }
}

runtime::task<step<cancel_registry::ticket>> pass_through(login_context* context) {
  if (auto reached = co_await reach_server(context); !reached)
    co_return std::unexpected(std::move(reached.error()));
  if (context->ssl_request_seen) {
    // The client asked with SSLRequest and has its S: the server is asked the same, and must agree.
    std::vector<std::byte> request;
    protocol::append_ssl_request(request);
    context->server.write(request);
    while (context->server.unread().empty() && !context->server.ended())
      co_await context->changed.wait();
    if (context->server.unread().empty()) co_return std::unexpected(server_ended(context->server));
    const bool accepted = context->server.unread().front() == std::byte{'S'};
    context->server.consume(1);
    if (!accepted) {
      co_return std::unexpected(login_end{.cause = {cause::tls_server},
                                          .detail = "passthrough, but the server does not speak TLS"});
    }
  }
  co_return cancel_registry::ticket();
}

/// The server authenticates the client; where one will not do, the next is asked, as long as the client has
/// heard nothing of it.
runtime::task<step<cancel_registry::ticket>> server_login(login_context* context) {
  const auto began = context->loop->now();
  if (auto found = co_await reach_server(context); !found)
    co_return std::unexpected(std::move(found.error()));
  note_server(*context);
  const auto reached = context->loop->now();
  context->time(telemetry::login_phase::server) = reached - began;
  context->facts->server_user = context->startup.user;
  auto ticket = co_await forward_login(context);
  context->time(telemetry::login_phase::auth) = context->loop->now() - reached;
  co_return ticket;
}

runtime::task<step<cancel_registry::ticket>> authenticate(login_context* context, established* made) {
  if (context->opaque) co_return co_await pass_through(context);
  if (is_pooled(*context)) co_return co_await pooled_login(context, made);
  if (context->facts->route->auth.method != config::auth_method::server)
    co_return co_await gateway_login(context);
  // The user is all that will ever be known here: who is refused by it need not be shown to a server.
  if (auto decided = decide_access(*context); !decided) co_return std::unexpected(std::move(decided.error()));
  for (;;) {
    auto ticket = co_await server_login(context);
    if (ticket || !ticket.error().try_another) co_return ticket;
    leave_server(*context, ticket.error());
  }
}

}  // namespace

login::login(runtime::loop& where, services& shared, session_facts& facts, half_open_places half_open)
    : context_(where, shared, facts), done_(where, nullptr, nullptr) {
  context_.half_open = std::move(half_open);
}

void login::start(std::unique_ptr<runtime::byte_stream> client, net::socket_address peer,
                  void (*on_done)(void*), void* context) {
  context_.client_address = std::move(peer);
  context_.client.attach(std::move(client), true);
  done_.set(on_done, context);
  task_ = run(&context_);
  task_.start([](void* self) { static_cast<login*>(self)->done_.schedule(); }, this);
}

runtime::task<step<established>> login::run(login_context* context) {
  // Of the connection, whatever a PROXY header says.
  const auto peer = context->client_address;
  if (auto negotiated = co_await negotiate(context); !negotiated) {
    co_return std::unexpected(std::move(negotiated.error()));
  }
  if (context->shared->draining.load(std::memory_order_relaxed)) {
    co_return std::unexpected(login_end{.cause = {cause::drain},
                                        .tell = error{.reaction = error_reaction::retry,
                                                      .code = sqlstates::cannot_connect_now,
                                                      .message = "the gateway is shutting down"}});
  }
  if (context->shared->loops.watches() && context->client.connected()) {
    const auto here = net::socket_address::of_self(context->client.stream()->native_handle());
    if (context->shared->loops.is_own(peer, here)) co_return std::unexpected(own_connection());
  }
  established made;
  made.opaque = context->opaque;
  if (wants_console(*context)) {
    // It works while the audit is blocked, since it shows why, and then goes without.
    if (context->gate == nullptr || (!context->gate->blocked() && context->gate->open())) announce(*context);
    co_return co_await console_login(context);
  }
  if (context->gate != nullptr && (context->gate->blocked() || !context->gate->open()))
    co_return std::unexpected(no_audit());
  auto chosen = choose_route(*context);
  announce(*context);
  if (!chosen) co_return std::unexpected(std::move(chosen.error()));
  if (auto open = ask_gate(*context); !open) co_return std::unexpected(std::move(open.error()));
  if (auto target = choose_target(*context); !target) co_return std::unexpected(std::move(target.error()));
  if (auto taken = take_places(*context); !taken) co_return std::unexpected(std::move(taken.error()));
  auto ticket = co_await authenticate(context, &made);
  while (!ticket && ticket.error().moved) {
    if (auto again = begin_again(*context); !again) co_return std::unexpected(std::move(again.error()));
    ticket = co_await authenticate(context, &made);
  }
  if (!ticket) co_return std::unexpected(std::move(ticket.error()));
  made.cancel = std::move(*ticket);
  if (made.pooled != nullptr) co_return made;
  context->turn.worked();
  context->facts->lease.on()->worked(context->loop->now());
  context->time(telemetry::login_phase::lease) = context->search->waited();
  note_server(*context);
  co_return made;
}

void login::configuration_changed(std::shared_ptr<const deployment> newer) {
  context_.newer = std::move(newer);
  context_.moved = true;
  context_.changed.raise();
}

step<established> login::take_result() {
  try {
    return task_.take();
  } catch (const std::exception& problem) {
    return std::unexpected(login_end{.cause = {cause::internal}, .detail = problem.what()});
  }
}

}  // namespace trunkline::session
